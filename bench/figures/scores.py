"""How far each optimizer came, how soon it met its targets, and what its steps cost."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.analyse import ranks as ranking
from bench.analyse import solved
from bench.analyse import throughput as timing
from bench.analyse.points import tuned_end, tuned_steps
from bench.analyse.significance import LEVEL
from bench.figures.curves import is_log
from bench.figures.options import (
    X_TITLES,
    Options,
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
    tasks_of,
    titles_of,
    words,
)

if TYPE_CHECKING:
    from bench.present.charts.dots import Dot
    from bench.tables import Run

#: Performance profiles end here, as their table does.
LAST_FACTOR = solved.FACTORS[-1]
MOST_CORNERS = 100


def convergence(run: "Run", options: Options) -> Any:
    """Draw how far each tuned optimizer came, a panel per problem and batch size, best first."""
    from bench.present.charts.dots import Dot, DotPanel, dots

    tasks = measured_tasks(run, options)
    metrics = shared_metric(tasks, options)
    panels = []
    for task, parts in tasks.items():
        metric = metrics[task]
        found = [Dot(part.footer["optimizer"], *tuned_end(part, metric, options.view)) for part in parts]
        higher = "accuracy" in metric
        found.sort(key=lambda dot: inf if np.isinf(dot.value) else -dot.value if higher else dot.value)
        values = [dot.value for dot in found if np.isfinite(dot.value)]
        log = is_log(values, metric, options) and (options.log or _spans(values))
        panels.append(DotPanel(*titles_of(task), words(metric), _told(found), log))
    return dots(panels, look_with([], options))


def _spans(values: Sequence[float]) -> bool:
    """Say whether values are too far apart for a linear axis."""
    return bool(values) and max(values) > 8 * max(min(values), 0)


def _told(found: Sequence["Dot"], unit: str = "") -> list["Dot"]:
    return [dot._replace(said=dot.said or f"{dot.value:.4g} [{dot.low:.4g}, {dot.high:.4g}]{unit}") for dot in found]


def convergence_caption(run: "Run", options: Options) -> str:
    """Say what `convergence` shows."""
    return joined(
        run,
        f"{metric_said(options)} of each tuned optimizer at the end of training{sliced(options)}: median over "
        f"{seeds_said(run, options)} of the point that did best on the selection seeds, with 95 % bootstrap intervals; "
        "best first. A cross on the right edge marks what diverged on most seeds.",
        "On a logarithmic axis the left edge stands for zero and what is lost in rounding.",
    )


def ranks(run: "Run", options: Options) -> Any:
    """Draw mean ranks over problems, with their range, and what can't be told from the first."""
    from bench.present.charts.dots import Dot, DotPanel, dots

    tasks_of(run)
    rows = ranking.ranks(run.parts, options.view)[1]
    if not rows:
        raise ValueError(f"{run.folder.name}: no problem was finished by all optimizers, so there is nothing to rank")
    found = [Dot(row["optimizer"], row["mean_rank"], float(row["best_rank"]), float(row["worst_rank"])) for row in rows]
    tested = ranking.tested(ranking.problem_ranks(run.parts, options.view)[1])
    first = found[0].value
    shaded = (first, first + tested.critical) if tested and tested.p <= LEVEL else None
    num = rows[0]["num_problems"]
    problems = f"{num} problem{'s' if num > 1 else ''}"
    return dots(
        [DotPanel(f"ranks over {problems}", "", "mean rank", _told(found), shaded=shaded)], look_with([], options)
    )


def ranks_caption(run: "Run", options: Options) -> str:
    """Say what `ranks` shows."""
    return joined(
        run,
        f"Mean rank of each tuned optimizer over the problems that all were run on{sliced(options)}, by the median "
        f"train loss over {seeds_said(run, options)}; lines span its best and worst rank. Shaded: Nemenyi's critical "
        "difference (5 %) from the first, within which ranks can't be told from it; drawn where Friedman's test finds "
        "that they differ as a whole.",
    )


def profile(run: "Run", options: Options) -> Any:
    """Draw the share of problems solved within a factor of the fastest optimizer's steps."""
    from bench.present.charts.lines import Line, LinePanel, lines

    tasks = tasks_of(run)
    names, steps = solved.steps_to_target(run.parts, options.view)
    if not len(steps):
        raise ValueError(f"{run.folder.name}: {solved.NO_TARGET}")
    drawn = []
    for name, found in zip(names, solved.ratios(steps).T, strict=True):
        corners = [1.0, *np.unique(found[found <= LAST_FACTOR]).tolist(), LAST_FACTOR]
        drawn.append(Line(name, corners, [float(np.mean(found <= factor)) for factor in corners]))
    title = f"targets of {len(steps)} problem{'s' if len(steps) > 1 else ''}"
    titles = title, "", "times the fewest steps", "share solved"
    return lines([LinePanel(*titles, drawn, log_x=True, step=True)], look_of(tasks, options))


def profile_caption(run: "Run", options: Options) -> str:
    """Say what `profile` shows."""
    return joined(
        run,
        "Performance profiles (Dolan, More, 2002): share of problems (each batch size counts) whose first target"
        f"{sliced(options)} the tuned optimizer meets, by its median over {seeds_said(run, options)}, within so many "
        "times the fewest steps of any. What failed or was not run somewhere has not met the target there.",
        coloured(run),
    )


def ecdf(run: "Run", options: Options) -> Any:
    """Draw the share of (problem, target, seed) met against steps."""
    from bench.present.charts.lines import Line, LinePanel, lines

    tasks = tasks_of(run)
    met, total = solved.steps_met(run.parts, options.view)
    if not total:
        raise ValueError(f"{run.folder.name}: {solved.ecdf_notes([])[0]}")
    last = float(max(solved.most_steps(run.parts, options.view), 1))
    drawn = []
    for name, steps in met.items():
        corners = np.unique(np.clip(steps[np.isfinite(steps)], 1, last))
        kept = np.linspace(0, len(corners) - 1, min(len(corners), MOST_CORNERS)).round().astype(int)
        along = [1.0, *corners[kept].tolist(), last]
        drawn.append(Line(name, along, [float(np.sum(steps <= step) / total) for step in along]))
    titles = f"{total} targets", "", "steps", "share met"
    return lines([LinePanel(*titles, drawn, log_x=True, step=True)], look_of(tasks, options))


def ecdf_caption(run: "Run", options: Options) -> str:
    """Say what `ecdf` shows."""
    return joined(
        run,
        f"Share of all (problem, target, seed) that the tuned optimizer met by a step{sliced(options)}, over "
        f"{seeds_said(run, options)}: {solved.LEVELS} targets a problem and batch size, evenly in the logarithm from "
        "the train loss at its start to its own target, or where it has none to the lowest end of any optimizer.",
        coloured(run),
    )


def ert(run: "Run", options: Options) -> Any:
    """Draw the expected running time to each target, a panel per problem, batch size and target."""
    from bench.present.charts.dots import Dot

    tasks_of(run)
    if options.x == "gradient_evaluations":
        raise ValueError("x: 'gradient_evaluations' is not accepted here; accepted: steps, examples, seconds")
    column = f"ert_{options.x}"
    rows = solved.ert(run.parts, seconds_of(run), options.view)[1]
    if not rows:
        raise ValueError(f"{run.folder.name}: {solved.NO_TARGET}")
    some = [row for row in rows if row[column] is not None]
    if not some:
        raise ValueError(f"{run.folder.name}: no finished cell is timed; optbench throughput times them")
    panels: dict[tuple[str, str], list[Dot]] = {}
    for row in some:
        title = row["problem"], f"batch size {row['batch_size']}, {row['target']}"
        said = f"{row[column]:.4g} {options.x}, {row['num_solved']} of {row['num_seeds']} seeds met it"
        panels.setdefault(title, []).append(Dot(row["optimizer"], row[column], said=said))
    return _times(panels, X_TITLES[options.x], options)


def _times(panels: Mapping[tuple[str, str], list["Dot"]], title: str, options: Options) -> Any:
    """Draw panels of times, the shortest first."""
    from bench.present.charts.dots import DotPanel, dots

    made = []
    for head, found in panels.items():
        values = [dot.value for dot in found if dot.value < inf]
        log = any(value > 0 for value in values) and (_spans(values) if options.log is None else options.log)
        made.append(DotPanel(*head, title, sorted(found, key=lambda dot: dot.value), log))
    return dots(made, look_with([], options))


def ert_caption(run: "Run", options: Options) -> str:
    """Say what `ert` shows."""
    return joined(
        run,
        f"Expected running time to the target, in {options.x}{sliced(options)}: all that "
        f"{seeds_said(run, options)} of the tuned optimizer took, over the seeds that met it; a seed that missed "
        "it spent its whole budget. A cross on the right edge: no seed met it.",
    )


def time_to_target(run: "Run", options: Options) -> Any:
    """Draw how many seconds the target takes, a panel per problem and batch size."""
    from bench.present.charts.dots import Dot

    tasks, timed = tasks_of(run), seconds_of(run)
    if not timed:
        raise ValueError(f"{run.folder.name}: no cell is timed; optbench throughput times them")
    panels: dict[tuple[str, str], list[Dot]] = {}
    for task, parts in tasks.items():
        for part in parts:
            steps, seconds = tuned_steps(part, options.view), timed.get(cell_of(part))
            if steps is not None and seconds is not None:
                dot = Dot(part.footer["optimizer"], *(value * seconds for value in steps))
                panels.setdefault(titles_of(task), []).extend(_told([dot], " s"))
    if not panels:
        raise ValueError(f"{run.folder.name}: {solved.NO_TARGET}")
    return _times(panels, "seconds to target", options)


def time_to_target_caption(run: "Run", options: Options) -> str:
    """Say what `time-to-target` shows."""
    return joined(
        run,
        f"Seconds to the (first) target{sliced(options)}: median over {seeds_said(run, options)} of the tuned "
        "optimizer's steps, with 95 % bootstrap intervals, times the measured median seconds of a step. A cross on the "
        "right edge: most seeds missed it.",
    )


def throughput(run: "Run", options: Options) -> Any:
    """Draw what a step takes, and how near that is to the machine's limit, a panel per problem and batch size."""
    from bench.present.charts.dots import Dot, DotPanel, dots

    rows = timing.throughput(run.timings)[1]
    if not rows:
        raise ValueError(f"{run.folder.name}: no cell is timed; optbench throughput times them")
    panels: dict[tuple[str, Any], list[dict[str, Any]]] = {}
    for row in rows:
        panels.setdefault((row["problem"], row["batch_size"]), []).append(row)
    made = []
    for task, some in panels.items():
        steps = [
            Dot(row["optimizer"], inf, said="timing it failed")
            if row["step_seconds"] is None
            else Dot(row["optimizer"], row["step_seconds"], row["step_seconds_low"], row["step_seconds_high"])
            for row in some
        ]
        shares = [Dot(row["optimizer"], row["percent_of_limit"]) for row in some if row["percent_of_limit"] is not None]
        beside = DotPanel("", "", "% of the limit", _told(shares, " %"), bars=True)
        log = _spans([dot.value for dot in steps if dot.value < inf]) if options.log is None else options.log
        made.append(DotPanel(*titles_of(task), "seconds a step", _told(steps, " s"), log, beside=beside))
    return dots(made, look_with([], options))


def throughput_caption(run: "Run", options: Options) -> str:
    """Say what `throughput` shows."""
    return joined(
        run,
        "Left: seconds of one step of a single unbatched trial, median over timed calls, with exact 95 % intervals, "
        "the cheapest first. Right: the larger of two shares, of the arithmetic that a matrix product reached and "
        "of the bandwidth that a copy reached in the same run. A cross on the right edge: timing it failed.",
        *timing.notes(list(run.timings))[-1:],
    )
