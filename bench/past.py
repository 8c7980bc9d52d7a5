"""What a page tells of the runs before: series of its history, and where their level changed."""

from collections.abc import Sequence

from bench.figures import Options
from bench.figures.trends import MEASURES, trend_caption, trend_figure
from bench.history.entries import Entry, History
from bench.history.trends import trends
from bench.present.page import Figure, Lines, Shaded, Variant
from bench.present.table import Table
from bench.tables import Run
from bench.tracking import TREND_NOTE, torn_notes, trend_row

COLUMNS = (
    "problem",
    "optimizer",
    "batch_size",
    "measure",
    "machine",
    "entries",
    "lowest",
    "highest",
    "latest",
    "ratio",
)
COLUMNS += ("trend", "changed")


def past(run: Run, history: History, options: Options) -> list[Lines | Shaded | Figure]:
    """Show how the cells of a run did over the entries of its suite; nothing where there are fewer than two."""
    suite = run.manifest["suite"].get("name")
    entries = [entry for entry in history.entries if entry.suite == suite]
    if len(entries) < 2:
        return []
    found = trends(history, entries, {noun: _labels(run, noun) for noun in ("problem", "optimizer")})
    rows = [trend_row(trend) for trend in found]
    changed = [row for row in rows if row["changed"]]
    said = (
        f"{len(entries)} entries of suite {suite} in {history.place}; {len(changed) or 'none'} of {len(rows)} series "
    )
    blocks: list[Lines | Shaded | Figure] = [Lines([f"{said}changed their level.", *torn_notes(history)])]
    blocks += [Shaded(Table("Series whose level changed", COLUMNS, changed, (TREND_NOTE,)), ())] if changed else []
    shown = [row for row in rows if row["measure"] in MEASURES]
    figure = Figure("Over time", _variants(run, history, entries, options), trend_caption(history, entries))
    return [*blocks, figure, Shaded(Table("What they came to", COLUMNS, shown, (TREND_NOTE,)), (), closed=True)]


def _labels(run: Run, noun: str) -> list[str]:
    return list(dict.fromkeys(cell[noun] for cell in run.manifest["cells"]))


def _variants(run: Run, history: History, entries: Sequence[Entry], options: Options) -> list[Variant]:
    """Draw each problem by itself."""
    found = []
    for problem in _labels(run, "problem"):
        chosen = {"problem": [problem], "optimizer": _labels(run, "optimizer"), "measure": MEASURES}
        of_problem = trends(history, entries, chosen)
        if of_problem:
            found.append(Variant(trend_figure(history, of_problem, options), {"of": problem}))
    return found
