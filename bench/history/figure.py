"""Measures of a history over its entries, with the places where their level changed."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from optbench.figures.figure import Options, look_with, spans, words
from optbench.history.entries import Entry, History
from optbench.history.trends import Trend

#: More panels than that are no figure; a person has to choose.
MOST_PANELS = 12
#: Of the entries that a panel has, so many have their number below.
MOST_TICKS = 8
#: What is drawn where no measure is asked for: the first that a problem has of what training came to, and its seconds.
MEASURES = ("gap", "train_loss", "step_seconds")


def trend_figure(history: History, found: Sequence[Trend], options: Options) -> Any:
    """Draw series over the entries, a panel per problem, batch size and measure, a line per optimizer.

    Raises ValueError for more panels than one can look at.
    """
    from optbench.present.charts.lines import lines

    panels: dict[tuple[Any, ...], list[Trend]] = {}
    for trend in found:
        panels.setdefault(panel_of(trend), []).append(trend)
    if len(panels) > MOST_PANELS:
        raise ValueError(f"{len(panels)} panels are too many; accepted: {MOST_PANELS}, chosen by problem and measure")
    place = {entry.id: number for number, entry in enumerate(history.entries, 1)}
    names = sorted({_name(trend) for trend in found}, key=lambda name: -sum(_name(one) == name for one in found))
    return lines([_panel(key, some, place, options) for key, some in panels.items()], look_with(names, options))


def panel_of(trend: Trend) -> tuple[Any, ...]:
    """Say which series share a panel."""
    return tuple(trend.series[name] for name in ("problem", "batch_size", "measure", "machine", "settings"))


def _name(trend: Trend) -> str:
    return trend.series["optimizer"] or trend.series["measure"]


def _panel(key: tuple[Any, ...], found: Sequence[Trend], place: dict[str, int], options: Options) -> Any:
    from optbench.present.charts.line_panel import Line, LinePanel, Mark

    problem, batch_size, measure, machine, _ = key
    drawn, points, marks = [], [], []
    for trend in found:
        xs = [place[entry.id] for entry in trend.entries]
        drawn.append(Line(_name(trend), xs, trend.values.tolist(), trend.low.tolist(), trend.high.tolist()))
        values = dict(zip(xs, trend.values.tolist(), strict=True))
        changed = [place[entry.id] for entry, _ in trend.changes()]
        points.append(Line(_name(trend), changed, [values[x] for x in changed]))
        marks += [Mark(_name(trend), x, y, "no number") for x, y in values.items() if not isfinite(y)]
    values = [y for line in drawn for y in line.y if isfinite(y)]
    log = options.log if options.log is not None else spans(values) and min(values) > 0
    where = [f"batch size {batch_size}" if batch_size else "", f"on {machine}" if machine else ""]
    numbers = sorted({x for line in drawn for x in line.x})
    ticks = numbers[:: -(-len(numbers) // MOST_TICKS)]
    more = {"points": points, "log_y": bool(log), "dotted": True, "x_ticks": ticks}
    return LinePanel(problem, ", ".join(filter(None, where)), "entry", words(measure), drawn, marks, **more)


def trend_caption(history: History, entries: Sequence[Entry]) -> str:
    """Say what the figure shows."""
    first, last = entries[0], entries[-1]
    return (
        f"Each measure over the entries of {history.place}, from {first.time[:10]} to {last.time[:10]}, numbered as by "
        "`optbench history list`, with the 95 % interval that each run had as a band. A symbol marks the first entry "
        "after a change of level; a cross on the edge marks what diverged or missed its target. Seconds and bytes of "
        "different machines are never in one panel."
    )
