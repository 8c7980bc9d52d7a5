"""How far each optimizer came, how it ranks, and what its steps cost."""

from math import inf
from typing import Any

import numpy as np

from optbench.analyse import ranks as ranking
from optbench.analyse.points import tuned_end
from optbench.analyse.significance import LEVEL
from optbench.analyse.trials import is_higher_better
from optbench.figures.curves import is_log
from optbench.figures.figure import (
    Options,
    joined,
    look_with,
    measured_tasks,
    metric_said,
    seeds_said,
    shared_metric,
    sliced,
    spans,
    tasks_of,
    titles_of,
    told,
    words,
)
from optbench.store.run import StoredRun
from optbench.tables import throughput as timing
from optbench.tables.ranks import ranks as ranks_table


def convergence(run: StoredRun, options: Options) -> Any:
    """Draw how far each tuned optimizer came, a panel per problem and batch size, best first."""
    from optbench.present.charts.dots import Dot, DotPanel, dots

    tasks = measured_tasks(run, options)
    metrics = shared_metric(tasks, options)
    panels = []
    for task, parts in tasks.items():
        metric = metrics[task]
        found = [Dot(part.record.optimizer, *tuned_end(part, metric, options.view)) for part in parts]
        higher = is_higher_better(metric, parts[0].results)
        found.sort(key=lambda dot: inf if np.isinf(dot.value) else -dot.value if higher else dot.value)
        values = [dot.value for dot in found if np.isfinite(dot.value)]
        log = is_log(values, metric, options) and (options.log or spans(values))
        panels.append(DotPanel(*titles_of(task), words(metric), told(found), log))
    return dots(panels, look_with([], options))


def convergence_caption(run: StoredRun, options: Options) -> str:
    """Say what `convergence` shows."""
    return joined(
        run,
        f"{metric_said(options)} of each tuned optimizer at the end of training{sliced(options)}: median over "
        f"{seeds_said(run, options)} of the point that did best on the selection seeds, with 95 % bootstrap intervals; "
        "best first. A cross on the right edge marks what diverged on most seeds.",
        "On a logarithmic axis the left edge stands for zero and what is lost in rounding.",
    )


def ranks(run: StoredRun, options: Options) -> Any:
    """Draw mean ranks over problems, with their range, and what can't be told from the first."""
    from optbench.present.charts.dots import Dot, DotPanel, dots

    tasks_of(run)
    rows = ranks_table(run.parts, options.view)[1]
    if not rows:
        raise ValueError(f"{run.folder.name}: no problem was finished by all optimizers, so there is nothing to rank")
    found = [Dot(row["optimizer"], row["mean_rank"], float(row["best_rank"]), float(row["worst_rank"])) for row in rows]
    tested = ranking.tested(ranking.problem_ranks(run.parts, options.view)[1])
    first = found[0].value
    shaded = (first, first + tested.critical) if tested and tested.p <= LEVEL else None
    num = rows[0]["num_problems"]
    problems = f"{num} problem{'s' if num > 1 else ''}"
    return dots(
        [DotPanel(f"ranks over {problems}", "", "mean rank", told(found), shaded=shaded)], look_with([], options)
    )


def ranks_caption(run: StoredRun, options: Options) -> str:
    """Say what `ranks` shows."""
    return joined(
        run,
        f"Mean rank of each tuned optimizer over the problems that all were run on{sliced(options)}, by the median "
        f"train loss over {seeds_said(run, options)}; lines span its best and worst rank. Shaded: Nemenyi's critical "
        "difference (5 %) from the first, within which ranks can't be told from it; drawn where Friedman's test finds "
        "that they differ as a whole.",
    )


def throughput(run: StoredRun, options: Options) -> Any:
    """Draw what a step takes, and how near that is to the machine's limit, a panel per problem and batch size."""
    from optbench.present.charts.dots import Dot, DotPanel, dots

    rows = timing.throughput(run.timings)[1]
    if not rows:
        raise ValueError(f"{run.folder.name}: no cell is timed; optbench throughput times them")
    panels: dict[tuple[str, Any], list[dict[str, Any]]] = {}
    for row in rows:
        panels.setdefault((row["problem"], row["batch_size"]), []).append(row)
    made = []
    for task, some in panels.items():
        steps = [
            Dot(row["optimizer"], inf, note="timing it failed")
            if row["step_seconds"] is None
            else Dot(row["optimizer"], row["step_seconds"], row["step_seconds_low"], row["step_seconds_high"])
            for row in some
        ]
        shares = [Dot(row["optimizer"], row["percent_of_limit"]) for row in some if row["percent_of_limit"] is not None]
        beside = DotPanel("", "", "% of the limit", told(shares, " %"), bars=True)
        log = spans([dot.value for dot in steps if dot.value < inf]) if options.log is None else options.log
        made.append(DotPanel(*titles_of(task), "seconds a step", told(steps, " s"), log, beside=beside))
    return dots(made, look_with([], options))


def throughput_caption(run: StoredRun, options: Options) -> str:
    """Say what `throughput` shows."""
    return joined(
        run,
        "Left: seconds of one step of a single unbatched trial, median over timed calls, with exact 95 % intervals, "
        "the cheapest first. Right: the larger of two shares, of the arithmetic that a matrix product reached and "
        "of the bandwidth that a copy reached in the same run. A cross on the right edge: timing it failed.",
        *(f"{note}." for note in timing.timing_notes(list(run.timings))[-1:]),
    )
