"""What a page tells of the runs before: series of its history, and where their level changed."""

from collections.abc import Sequence
from typing import Any

from optbench.figures import Options
from optbench.history.entries import History
from optbench.history.figure import MEASURES, MOST_PANELS, panel_of, trend_caption, trend_figure
from optbench.history.tables import TREND_NOTE, torn_notes, trend_row
from optbench.history.trends import Trend, trends
from optbench.present.table import Table
from optbench.report.html.page import Figure, Lines, Shaded, Variant
from optbench.store.run import StoredRun

COLUMNS = ("problem", "optimizer", "batch_size", "measure", "machine", "entries", "lowest", "highest", "latest")
COLUMNS = (*COLUMNS, "ratio", "trend", "changed")


def past(run: StoredRun, history: History, options: Options) -> list[Lines | Shaded | Figure]:
    """Show how the cells of a run did over the entries of its suite; nothing where there are fewer than two."""
    suite = run.manifest["suite"].get("name")
    entries = [entry for entry in history.entries if entry.suite == suite]
    if len(entries) < 2:
        return []
    found = trends(history, entries, {noun: _labels(run, noun) for noun in ("problem", "optimizer")})
    rows = [trend_row(trend) for trend in found]
    changed = [row for row in rows if row["changed"]]
    said = f"{len(entries)} entries of suite {suite} in {history.place}; "
    said += f"{len(changed) or 'none'} of {len(rows)} series changed their level."
    blocks: list[Lines | Shaded | Figure] = [Lines([said, *torn_notes(history)])]
    blocks += [Shaded(Table("Series whose level changed", COLUMNS, changed, (TREND_NOTE,)), ())] if changed else []
    shown = [row for row in rows if row["measure"] in MEASURES]
    variants = _variants(history, found, options)
    blocks += [Figure("Over time", variants, trend_caption(history, entries))] if variants else []
    return [*blocks, Shaded(Table("What they came to", COLUMNS, shown, (TREND_NOTE,)), (), closed=True)]


def _labels(run: StoredRun, noun: str) -> list[str]:
    return list(dict.fromkeys(cell[noun] for cell in run.manifest["cells"]))


def _variants(history: History, found: Sequence[Trend], options: Options) -> list[Variant]:
    """Draw each problem by itself, one with many batch sizes or machines in several parts."""
    problems: dict[str, dict[tuple[Any, ...], list[Trend]]] = {}
    for trend in found:
        if trend.series["measure"] in MEASURES:
            problems.setdefault(trend.series["problem"], {}).setdefault(panel_of(trend), []).append(trend)
    variants = []
    for problem, panels in problems.items():
        every = list(panels.values())
        parts = [every[first : first + MOST_PANELS] for first in range(0, len(every), MOST_PANELS)]
        for number, part in enumerate(parts, 1):
            title = problem if len(parts) == 1 else f"{problem}, part {number} of {len(parts)}"
            drawn = trend_figure(history, [trend for some in part for trend in some], options)
            variants.append(Variant(drawn, {"of": title}))
    return variants
