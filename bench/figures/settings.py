"""What the settings do: learning rate, weight decay, batch size, and how many of them are tried."""

from typing import Any

import numpy as np

from optbench.analyse.points import begun, points
from optbench.figures.curves import MOST_PANELS, above, chosen_cells, is_log, worst
from optbench.figures.figure import (
    Options,
    coloured,
    joined,
    look_of,
    look_with,
    measured_tasks,
    metric_said,
    shared_metric,
    sliced,
    tasks_of,
    titles_of,
    words,
)
from optbench.store.parts import Part
from optbench.store.run import StoredRun
from optbench.tables import batch_scaling as scaling
from optbench.tables import budget as budgets

#: Values on a side of a heat map: a random search has no grid, but as many values as points.
MOST_VALUES = 40
#: Points of a fitted curve.
FITTED = 30


def sensitivity(run: StoredRun, options: Options) -> Any:
    """Draw where each learning rate ended: a line per optimizer, or of a single optimizer per batch size."""
    from optbench.present.charts.lines import lines

    tasks = measured_tasks(run, options)
    metrics = shared_metric(tasks, options)
    optimizers = {part.record.optimizer for parts in tasks.values() for part in parts}
    problems = {problem for problem, _ in tasks}
    by_size = len(optimizers) == 1 and len(tasks) > len(problems)
    groups: dict[tuple[str, str], list[tuple[str, Part, str]]] = {}
    for task, parts in tasks.items():
        for part in parts:
            name = f"batch size {task[1]}" if by_size else part.record.optimizer
            head = (task[0], part.record.optimizer) if by_size else titles_of(task)
            groups.setdefault(head, []).append((name, part, metrics[task]))
    panels = [panel for head, found in groups.items() if (panel := _responses(head, found, options))]
    if not panels:
        raise ValueError(f"{run.folder.name}: only one learning rate was tried, so there is no sensitivity to draw")
    sizes = list(dict.fromkeys(f"batch size {size}" for _, size in tasks))
    return lines(panels, look_with(sizes, options) if by_size else look_of(tasks, options))


def _responses(head: tuple[str, str], found: list[tuple[str, Part, str]], options: Options) -> Any:
    from optbench.present.charts.line_panel import Line, LinePanel, Mark

    drawn, marks, starts = [], [], []
    for name, part, metric in found:
        tried = [point for point in points(part, metric, ["learning_rate"], options.view) if point.settings[0] > 0]
        ys = [point.value if np.isfinite(point.value) else float("nan") for point in tried]
        if len(tried) > 1:
            drawn.append(Line(name, [point.settings[0] for point in tried], ys))
            lost = [point.settings[0] for point in tried if np.isinf(point.value)]
            marks += [Mark(name, rate, worst(metric, part), f"diverged at learning rate {rate:.3g}") for rate in lost]
            starts.append(begun(part, metric, options.view))
    if not drawn:
        return None
    values, metric = [y for line in drawn for y in line.y if np.isfinite(y)], found[0][2]
    log = is_log(values, metric, options)
    is_trained = metric in ("gap", "train_loss")
    cap = above(starts, values, log) if is_trained else float("inf")
    shape: dict[str, Any] = {"log_x": True, "log_y": log, "dotted": True, "cap": cap}
    return LinePanel(*head, "learning rate", words(metric), drawn, marks, **shape)


def sensitivity_caption(run: StoredRun, options: Options) -> str:
    """Say what `sensitivity` shows."""
    return joined(
        run,
        f"{metric_said(options)} at the end of training{sliced(options)} against the learning rate: median over the "
        "selection seeds; at each learning rate the best of the other settings counts.",
        "A cross on the edge marks a learning rate at which most seeds diverged.",
        coloured(run),
    )


def heatmap(run: StoredRun, options: Options) -> Any:
    """Draw where each learning rate and weight decay ended, a panel per cell."""
    from optbench.present.charts.heat import Cell, HeatPanel, heat

    tasks = measured_tasks(run, options)
    metrics = shared_metric(tasks, options)
    panels = []
    for task, parts in chosen_cells(tasks, options).items():
        for part in parts:
            found = points(part, metrics[task], ["learning_rate", "weight_decay"], options.view)
            cells = [Cell(point.settings[0], point.settings[1], point.value, point.chosen) for point in found]
            if all(1 < len(set(values)) <= MOST_VALUES for values in zip(*(cell[:2] for cell in cells), strict=True)):
                title = f"{part.record.optimizer} on {task[0]}", f"batch size {task[1]}"
                log = is_log([cell.value for cell in cells if np.isfinite(cell.value)], metrics[task], options)
                panels.append(HeatPanel(*title, "learning rate", "weight decay", words(metrics[task]), cells, log))
    if not panels:
        raise ValueError(f"{run.folder.name}: no cell was tried on a grid of several learning rates and weight decays")
    return heat(panels, look_with([], options))


def heatmap_caption(run: StoredRun, options: Options) -> str:
    """Say what `heatmap` shows."""
    return joined(
        run,
        f"{metric_said(options)} at the end of training{sliced(options)} for each learning rate and weight decay: "
        "median over the selection seeds, dark is low, each panel with a scale of its own. Framed: the chosen point. "
        f"A cross marks what diverged. Of more than {MOST_PANELS} cells the best on each problem and batch size.",
    )


def batch_scaling(run: StoredRun, options: Options) -> Any:
    """Draw the steps to the target against batch size, with the fit, a panel per problem."""
    from optbench.present.charts.line_panel import LinePanel
    from optbench.present.charts.lines import lines

    rows = scaling.batch_scaling(run.parts, options.view)[1]
    if not rows:
        raise ValueError(f"{run.folder.name}: {scaling.NO_SIZES}")
    sizes = {
        (part.record.problem, part.record.batch_size): float(part.results.examples_per_step)
        for part in run.parts
        if part.outcome == "finished"
    }
    panels = []
    for problem in dict.fromkeys(row["problem"] for row in rows):
        some = [row | {"size": sizes[problem, row["batch_size"]]} for row in rows if row["problem"] == problem]
        measured, fits, marks = _scaled(some)
        panels.append(
            LinePanel(
                problem,
                "",
                "batch size",
                "steps to target",
                fits,
                marks,
                measured,
                log_x=True,
                log_y=True,
                x_ticks=sorted({row["size"] for row in some}),
            )
        )
    return lines(panels, look_of(tasks_of(run), options))


def _scaled(rows: list[dict[str, Any]]) -> Any:
    """Make (points measured, lines fitted, marks of what missed the target) of one problem's rows."""
    from optbench.present.charts.line_panel import Line, Mark

    measured, fits, marks = [], [], []
    for name in dict.fromkeys(row["optimizer"] for row in rows):
        some = [row for row in rows if row["optimizer"] == name]
        met = [row for row in some if np.isfinite(row["steps_to_target"]) and row["steps_to_target"] > 0]
        missed = [row["size"] for row in some if np.isinf(row["steps_to_target"])]
        marks += [Mark(name, size, float("inf"), "missed the target") for size in missed]
        measured.append(Line(name, [row["size"] for row in met], [row["steps_to_target"] for row in met]))
        if met and "fewest_steps" in met[0]:
            along = np.geomspace(met[0]["size"], met[-1]["size"], FITTED)
            fits.append(
                Line(name, along.tolist(), (met[0]["fewest_steps"] + met[0]["fewest_examples"] / along).tolist())
            )
    return measured, fits, marks


def batch_scaling_caption(run: StoredRun, options: Options) -> str:
    """Say what `batch-scaling` shows."""
    return joined(
        run,
        f"Steps to the (first) target{sliced(options)} against batch size, at each with the settings that need the "
        "fewest, by their median over the selection seeds (points), and the fit steps = S + E / batch size (lines; "
        "McCandlish et al., 2018). A cross on the upper edge marks a batch size at which the target was missed. "
        "Where a batch is all the data, its size is their number.",
        coloured(run),
    )


def budget(run: StoredRun, options: Options) -> Any:
    """Draw the expected best of k configurations, a panel per problem and batch size."""
    from optbench.present.charts.line_panel import Line, LinePanel
    from optbench.present.charts.lines import lines

    tasks, rows = tasks_of(run), budgets.budget(run.parts, options.view)[1]
    panels = []
    for task, parts in tasks.items():
        some = [row for row in rows if (row["problem"], row["batch_size"]) == task]
        drawn = []
        for row in some:
            ks = [int(name.removeprefix("best_of_")) for name in row if name.removeprefix("best_of_").isdigit()]
            curves = [[row[f"best_of_{k}{end}"] for k in ks] for end in budgets.ENDS]
            drawn.append(Line(row["optimizer"], ks, curves[0], curves[1], curves[2]))
        metric = "train_loss" if parts[0].results.optimum is None else "gap"
        log = is_log([y for line in drawn for y in line.y], metric, options)
        panels.append(LinePanel(*titles_of(task), "configurations tried", words(metric), drawn, log_x=True, log_y=log))
    if all(len(line.x) < 2 for panel in panels for line in panel.lines):
        raise ValueError(f"{run.folder.name}: only one configuration was tried, so there is no budget to draw")
    return lines(panels, look_of(tasks, options))


def budget_caption(run: StoredRun, options: Options) -> str:
    """Say what `budget` shows."""
    return joined(
        run,
        f"Expected lowest of k configurations drawn at random from those that were tried{sliced(options)}, each by its "
        "median over the selection seeds, with 95 % bootstrap intervals over the configurations as bands; the gap "
        "where the optimum is known, else the train loss. A configuration that diverged counts as the start.",
        coloured(run),
    )
