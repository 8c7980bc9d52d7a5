"""Curves of tuned optimizers, and of every trial of a grid."""

from math import inf
from typing import Any

from optbench.analyse.series import MOST_RECORDS, MOST_TRIALS, Curve, Trial, grid_trials, tuned_curve
from optbench.analyse.trials import is_higher_better
from optbench.figures.figure import (
    X_TITLES,
    Options,
    Tasks,
    best_first,
    cell_of,
    coloured,
    joined,
    look_of,
    look_with,
    measured_tasks,
    metric_said,
    seconds_of,
    seeds_said,
    shared_metric,
    sliced,
    titles_of,
    words,
)
from optbench.store.parts import Part
from optbench.store.run import StoredRun

#: Panels of single cells; of more only the best cell of each task is shown.
MOST_PANELS = 12
CHOSEN, OTHER = "chosen point", "all other trials"
MARKED = "A cross marks where a seed diverged; the upper edge stands for all above it."


def curves(run: StoredRun, options: Options) -> Any:
    """Draw the curve of each tuned optimizer, a panel per problem and batch size."""
    from optbench.present.charts.lines import lines

    tasks = measured_tasks(run, options)
    metrics, timed = shared_metric(tasks, options), seconds_of(run)
    panels = [_panel(task, parts, metrics[task], options, timed) for task, parts in tasks.items()]
    return lines(panels, look_of(tasks, options))


def _panel(task: Any, parts: list[Part], metric: str, options: Options, timed: Any) -> Any:
    from optbench.present.charts.line_panel import Line, LinePanel, Mark

    found = {part.record.optimizer: _curve(part, metric, options, timed) for part in parts}
    drawn = [Line(name, *_lists(curve)) for name, curve in found.items()]
    marks = [Mark(name, x, y, "a seed diverged here") for name, curve in found.items() for x, y in curve.left]
    starts = [float(curve.middle[0]) for curve in found.values() if len(curve.middle)]
    log = is_log([y for line in drawn for y in line.y], metric, options)
    cap = inf if rises(metric, parts[0]) else above(starts, [y for line in drawn for y in line.y], log)
    return LinePanel(*titles_of(task), X_TITLES[options.x], words(metric), drawn, marks, log_y=log, cap=cap)


def _lists(curve: Curve) -> tuple[list[float], list[float], list[float], list[float]]:
    return curve.x.tolist(), curve.middle.tolist(), curve.low.tolist(), curve.high.tolist()


def _curve(part: Part, metric: str, options: Options, timed: Any) -> Curve:
    seconds = timed.get(cell_of(part)) if options.x == "seconds" else None
    return tuned_curve(part, metric, options.x, options.view, seconds)


def is_log(values: list[float], metric: str, options: Options) -> bool:
    """Say whether an axis of values is logarithmic: as asked, else for losses, where none is below zero."""
    if options.log is False or not any(value > 0 for value in values):
        return False
    return options.log or metric == "gap" or (metric.endswith("loss") and min(values) >= 0)


def rises(metric: str, part: Part) -> bool:
    """Say whether more of a metric is better."""
    return metric != "gap" and is_higher_better(metric, part.results)


def worst(metric: str, part: Part) -> float:
    """Say beyond which edge what diverged lies: the worse one."""
    return -inf if rises(metric, part) else inf


def above(starts: list[float], values: list[float], log: bool) -> float:
    """Say what is too high to be drawn apart: somewhat above the start."""
    if not starts:
        return inf
    start, low = max(starts), min(values, default=0.0)
    return 2 * start if log and start > 0 else start + 0.3 * max(start - low, 1e-12)


def curves_caption(run: StoredRun, options: Options) -> str:
    """Say what `curves` shows."""
    return joined(
        run,
        f"{metric_said(options)} of each tuned optimizer against {_x_said(options)}{sliced(options)}: median over "
        f"{seeds_said(run, options)} of the point that did best on the selection seeds, with 95 % bootstrap intervals "
        f"as bands; at most {MOST_RECORDS} records of each curve.",
        MARKED,
        "On a logarithmic axis the lower edge stands for zero and what is lost in rounding.",
        coloured(run),
    )


def _x_said(options: Options) -> str:
    said = {"seconds": "seconds (steps times the measured median seconds of a step)"}
    return said.get(options.x, options.x.replace("_", " "))


def grid(run: StoredRun, options: Options) -> Any:
    """Draw every selection trial of a cell in grey and its chosen point in colour, a panel per cell."""
    from optbench.present.charts.lines import lines

    tasks = measured_tasks(run, options)
    metrics, timed = shared_metric(tasks, options), seconds_of(run)
    panels = [
        _grid_panel(task, part, metrics[task], options, timed)
        for task, parts in chosen_cells(tasks, options).items()
        for part in parts
    ]
    return lines(panels, look_with([CHOSEN], options)._replace(others=OTHER))


def chosen_cells(tasks: Tasks, options: Options) -> Tasks:
    """Choose the cells that get a panel each: all, or of many the best of each task."""
    if sum(map(len, tasks.values())) <= MOST_PANELS:
        return tasks
    return {task: best_first(parts, options)[:1] for task, parts in tasks.items()}


def _grid_panel(task: Any, part: Part, metric: str, options: Options, timed: Any) -> Any:
    from optbench.present.charts.line_panel import LinePanel, Mark

    seconds = timed.get(cell_of(part)) if options.x == "seconds" else None
    trials, num = grid_trials(part, metric, options.x, options.view, seconds)
    drawn = [_trial_line(trial, place) for place, trial in enumerate(trials) if len(trial.y)]
    lost = [trial for trial in trials if trial.diverged]
    name = lambda trial: CHOSEN if trial.best else OTHER  # noqa: E731
    marks = [Mark(name(one), float(one.x[-1]), worst(metric, part), _settings(one)) for one in lost if len(one.y)]
    log = is_log([y for line in drawn for y in line.y], metric, options)
    starts = [line.y[0] for line in drawn]
    cap = inf if rises(metric, part) else above(starts, [y for line in drawn for y in line.y], log)
    title = f"{part.record.optimizer} on {task[0]}", f"batch size {task[1]}, {num} trials"
    return LinePanel(*title, X_TITLES[options.x], words(metric), drawn, marks, log_y=log, cap=cap)


def _trial_line(trial: Trial, place: int) -> Any:
    from optbench.present.charts.line_panel import Line

    name = CHOSEN if trial.best else OTHER
    return Line(name, trial.x.tolist(), trial.y.tolist(), note=f"{_settings(trial)} ({place})")


def _settings(trial: Trial) -> str:
    return ", ".join(f"{name}={value:.3g}" for name, value in trial.settings.items())


def grid_caption(run: StoredRun, options: Options) -> str:
    """Say what `grid` shows."""
    return joined(
        run,
        f"{metric_said(options)} of the selection trials of an optimizer against {_x_said(options)}"
        f"{sliced(options)}; coloured: the seeds of the point with the lowest median train loss. At most {MOST_TRIALS} "
        f"trials, evenly by rank, and the chosen ones; of more than {MOST_PANELS} cells the best on each problem and "
        "batch size.",
        "A cross on the edge marks the last record of a trial that diverged; the upper edge stands for all above it.",
        "On a logarithmic axis the lower edge stands for zero and what is lost in rounding.",
    )
