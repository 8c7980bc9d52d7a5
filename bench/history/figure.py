"""The figure of a history: measures over its entries, and the entries at which their level changed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

from optbench.errors import RequestError
from optbench.figures.axes import is_wide, metric_title
from optbench.figures.figure import Options, look_with
from optbench.figures.write import write_figure
from optbench.history.entries import Entry, History
from optbench.history.trends import Trend, fitting_trends

#: More panels than that are no figure; a person has to choose.
MOST_PANELS = 12
#: Of the entries that a panel has, so many have their number below.
MOST_TICKS = 8
#: What is drawn where no measure is asked for: the first that a problem has of what training came to, and its seconds,
#: a step's or those of another project's benchmark.
MEASURES = ("gap", "train_loss", "step_seconds", "seconds")


def plot(history: History, chosen: Mapping[str, Sequence[str]], last: int | None, path: Path, options: Options) -> str:
    """Write a figure of the series that fit, of the `last` entries or all, and return its caption.

    Raises RequestError if no series fits or too many do, and what `write_figure` raises.
    """
    entries = history.entries[-last:] if last else history.entries
    series = fitting_trends(history, entries, chosen)
    write_figure(lambda width: trend_figure(history, series, replace(options, width=width)), path, options.width)
    return trend_caption(history, entries)


def trend_figure(history: History, series: Sequence[Trend], options: Options) -> Any:
    """Draw series over the entries, a panel per problem, batch size and measure, a line per optimizer.

    Raises RequestError for more panels than one can look at.
    """
    from optbench.present.charts.lines import lines

    panels: dict[tuple[Any, ...], list[Trend]] = {}
    for trend in series:
        panels.setdefault(panel_of(trend), []).append(trend)
    if len(panels) > MOST_PANELS:
        raise RequestError(f"{len(panels)} panels are too many; accepted: {MOST_PANELS}, chosen by problem and measure")
    numbers = {entry.id: number for number, entry in enumerate(history.entries, 1)}
    labels = [_name(trend) for trend in series]
    names = sorted(dict.fromkeys(labels), key=lambda name: -labels.count(name))
    return lines([_panel(key, members, numbers, options) for key, members in panels.items()], look_with(names, options))


def panel_of(trend: Trend) -> tuple[Any, ...]:
    """Say which series share a panel."""
    return tuple(trend.series[name] for name in ("problem", "batch_size", "measure", "machine", "settings"))


def _name(trend: Trend) -> str:
    return trend.series["optimizer"] or trend.series["measure"]


def _panel(key: tuple[Any, ...], series: Sequence[Trend], numbers: dict[str, int], options: Options) -> Any:
    from optbench.present.charts.line_panel import Line, LinePanel, Mark

    problem, batch_size, measure, machine, _ = key
    curves, points, marks = [], [], []
    for trend in series:
        xs = [numbers[entry.id] for entry in trend.entries]
        curves.append(Line(_name(trend), xs, trend.values.tolist(), trend.low.tolist(), trend.high.tolist()))
        values = dict(zip(xs, trend.values.tolist(), strict=True))
        changes = [numbers[entry.id] for entry, _ in trend.changes()]
        points.append(Line(_name(trend), changes, [values[x] for x in changes]))
        marks += [Mark(_name(trend), x, y, "no number") for x, y in values.items() if not isfinite(y)]
    values = [y for line in curves for y in line.y if isfinite(y)]
    log = options.log if options.log is not None else is_wide(values) and min(values) > 0
    where = [f"batch size {batch_size}" if batch_size else "", f"on {machine}" if machine else ""]
    shown = sorted({x for line in curves for x in line.x})
    ticks = shown[:: -(-len(shown) // MOST_TICKS)]
    more = {"points": points, "log_y": bool(log), "dotted": True, "x_ticks": ticks}
    return LinePanel(problem, ", ".join(filter(None, where)), "entry", metric_title(measure), curves, marks, **more)


def trend_caption(history: History, entries: Sequence[Entry]) -> str:
    """Say what the figure shows."""
    first, last = entries[0], entries[-1]
    return (
        f"Each measure over the entries of {history.place}, from {first.time[:10]} to {last.time[:10]}, numbered as by "
        "`optbench history list`, with the 95 % interval that each run had as a band. A symbol marks the first entry "
        "after a change of level; a cross on the edge marks what diverged or missed its target. Seconds and bytes of "
        "different machines are never in one panel."
    )
