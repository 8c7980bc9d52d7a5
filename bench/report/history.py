"""A page's section of the entries before a run: its series over time, and where their level changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from optbench.figures.figure import Options
from optbench.history.entries import History
from optbench.history.figure import MEASURES, MOST_PANELS, panel_of, trend_caption, trend_figure
from optbench.history.tables import TREND_NOTE, name_entry, torn_notes, trend_row
from optbench.history.trends import Trend, trends
from optbench.present.table import Table
from optbench.report.html.page import Block, FigureBlock, Page, Paragraphs, Section, TableBlock, Variant
from optbench.store.run import StoredRun

COLUMNS = ("problem", "optimizer", "batch_size", "measure", "machine", "entries", "lowest", "highest", "latest")
COLUMNS = (*COLUMNS, "ratio", "trend", "changed")


def history_blocks(run: StoredRun, history: History, options: Options) -> list[Block]:
    """Show the series of a run's cells over the entries of its suite; nothing for fewer than two entries."""
    suite = run.manifest["suite"].get("name")
    if sum(entry.suite == suite for entry in history.entries) < 2:
        return []
    return _suite_blocks(suite, history, {noun: _labels(run, noun) for noun in ("problem", "optimizer")}, options)


def history_page(history: History, options: Options) -> Page:
    """Return a page of a history alone, with a section for each suite."""
    suites = list(dict.fromkeys(entry.suite for entry in history.entries))
    sections = [
        Section(f"Suite {suite}" if suite else "Entries without a suite", _suite_blocks(suite, history, {}, options))
        for suite in suites
    ]
    newest = history.entries[-1]
    count = "1 entry" if len(history.entries) == 1 else f"{len(history.entries)} entries"
    text = f"{count} in {history.place}, the newest of {newest.time}: {name_entry(newest)}."
    return Page("optbench: history", [text], sections)


def _suite_blocks(
    suite: str | None, history: History, patterns: Mapping[str, Sequence[str]], options: Options
) -> list[Block]:
    """Show the series of a suite whose columns fit the patterns."""
    entries = [entry for entry in history.entries if entry.suite == suite]
    series = trends(history, entries, patterns)
    rows = [trend_row(trend) for trend in series]
    changed = [row for row in rows if row["changed"]]
    count = f"{len(changed) or 'none'} of {len(rows)} series changed their level."
    entry_count = "1 entry" if len(entries) == 1 else f"{len(entries)} entries"
    note = f"{entry_count} of suite {suite} in {history.place}; {count}"
    blocks: list[Block] = [Paragraphs([note, *torn_notes(history)])]
    blocks += [_trend_table("Series whose level changed", changed)] if changed else []
    variants = _variants(history, series, options)
    blocks += [FigureBlock("Over time", variants, trend_caption(history, entries))] if variants else []
    latest = _trend_table("What they came to", [row for row in rows if row["measure"] in MEASURES])
    return [*blocks, latest._replace(closed=True)]


def _trend_table(title: str, rows: Sequence[dict[str, Any]]) -> TableBlock:
    return TableBlock(Table(title, COLUMNS, rows, (TREND_NOTE,)), ())


def _labels(run: StoredRun, noun: str) -> list[str]:
    return list(dict.fromkeys(cell[noun] for cell in run.manifest["cells"]))


def _variants(history: History, series: Sequence[Trend], options: Options) -> list[Variant]:
    """Draw each problem by itself, one with many batch sizes or machines in several parts."""
    problems: dict[str, dict[tuple[Any, ...], list[Trend]]] = {}
    for trend in series:
        if trend.series["measure"] in MEASURES:
            problems.setdefault(trend.series["problem"], {}).setdefault(panel_of(trend), []).append(trend)
    variants = []
    for problem, panels in problems.items():
        groups = list(panels.values())
        parts = [groups[first : first + MOST_PANELS] for first in range(0, len(groups), MOST_PANELS)]
        for number, part in enumerate(parts, 1):
            title = problem if len(parts) == 1 else f"{problem}, part {number} of {len(parts)}"
            spec = trend_figure(history, [trend for group in part for trend in group], options)
            variants.append(Variant(spec, {"of": title}))
    return variants
