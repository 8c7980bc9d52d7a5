"""How soon each optimizer met its targets."""

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from optbench.analyse import targets
from optbench.analyse.points import tuned_steps
from optbench.figures.figure import (
    X_TITLES,
    Options,
    cell_of,
    coloured,
    joined,
    look_of,
    look_with,
    seconds_of,
    seeds_said,
    sliced,
    spans,
    tasks_of,
    titles_of,
    told,
)
from optbench.store.run import StoredRun
from optbench.tables.ecdf import NO_LEVEL
from optbench.tables.ert import ert as ert_table
from optbench.tables.profile import FACTORS
from optbench.tables.table_kind import NO_TARGET

if TYPE_CHECKING:
    from optbench.present.charts.dots import Dot

#: Performance profiles end here, as their table does.
LAST_FACTOR = FACTORS[-1]
MOST_CORNERS = 100


def profile(run: StoredRun, options: Options) -> Any:
    """Draw the share of problems solved within a factor of the fastest optimizer's steps."""
    from optbench.present.charts.line_panel import Line, LinePanel
    from optbench.present.charts.lines import lines

    tasks = tasks_of(run)
    names, steps = targets.steps_to_target(run.parts, options.view)
    if not len(steps):
        raise ValueError(f"{run.folder.name}: {NO_TARGET}")
    drawn = []
    for name, found in zip(names, targets.ratios(steps).T, strict=True):
        corners = [1.0, *np.unique(found[found <= LAST_FACTOR]).tolist(), LAST_FACTOR]
        drawn.append(Line(name, corners, [float(np.mean(found <= factor)) for factor in corners]))
    title = f"targets of {len(steps)} problem{'s' if len(steps) > 1 else ''}"
    titles = title, "", "times the fewest steps", "share solved"
    return lines([LinePanel(*titles, drawn, log_x=True, step=True)], look_of(tasks, options))


def profile_caption(run: StoredRun, options: Options) -> str:
    """Say what `profile` shows."""
    return joined(
        run,
        "Performance profiles (Dolan, More, 2002): share of problems (each batch size counts) whose first target"
        f"{sliced(options)} the tuned optimizer meets, by its median over {seeds_said(run, options)}, within so many "
        "times the fewest steps of any. What failed or was not run somewhere has not met the target there.",
        coloured(run),
    )


def ecdf(run: StoredRun, options: Options) -> Any:
    """Draw the share of (problem, target, seed) met against steps."""
    from optbench.present.charts.line_panel import Line, LinePanel
    from optbench.present.charts.lines import lines

    tasks = tasks_of(run)
    met, total = targets.steps_met(run.parts, options.view)
    if not total:
        raise ValueError(f"{run.folder.name}: {NO_LEVEL}")
    last = float(max(targets.most_steps(run.parts, options.view), 1))
    drawn = []
    for name, steps in met.items():
        corners = np.unique(np.clip(steps[np.isfinite(steps)], 1, last))
        kept = np.linspace(0, len(corners) - 1, min(len(corners), MOST_CORNERS)).round().astype(int)
        along = [1.0, *corners[kept].tolist(), last]
        drawn.append(Line(name, along, [float(np.sum(steps <= step) / total) for step in along]))
    titles = f"{total} targets", "", "steps", "share met"
    return lines([LinePanel(*titles, drawn, log_x=True, step=True)], look_of(tasks, options))


def ecdf_caption(run: StoredRun, options: Options) -> str:
    """Say what `ecdf` shows."""
    return joined(
        run,
        f"Share of all (problem, target, seed) that the tuned optimizer met by a step{sliced(options)}, over "
        f"{seeds_said(run, options)}: {targets.LEVELS} targets a problem and batch size, evenly in the logarithm from "
        "the train loss at its start to its own target, or where it has none to the lowest end of any optimizer.",
        coloured(run),
    )


def ert(run: StoredRun, options: Options) -> Any:
    """Draw the expected running time to each target, a panel per problem, batch size and target."""
    from optbench.present.charts.dots import Dot

    tasks_of(run)
    if options.x == "gradient_evaluations":
        raise ValueError("x: 'gradient_evaluations' is not accepted here; accepted: steps, examples, seconds")
    column = f"ert_{options.x}"
    rows = ert_table(run.parts, seconds_of(run), options.view)[1]
    if not rows:
        raise ValueError(f"{run.folder.name}: {NO_TARGET}")
    some = [row for row in rows if row[column] is not None]
    if not some:
        raise ValueError(f"{run.folder.name}: no finished cell is timed; optbench throughput times them")
    panels: dict[tuple[str, str], list[Dot]] = {}
    for row in some:
        title = row["problem"], f"batch size {row['batch_size']}, {row['target']}"
        said = f"{row[column]:.4g} {options.x}, {row['num_solved']} of {row['num_seeds']} seeds met it"
        panels.setdefault(title, []).append(Dot(row["optimizer"], row[column], note=said))
    return _times(panels, X_TITLES[options.x], options)


def _times(panels: Mapping[tuple[str, str], list["Dot"]], title: str, options: Options) -> Any:
    """Draw panels of times, the shortest first."""
    from optbench.present.charts.dots import DotPanel, dots

    made = []
    for head, found in panels.items():
        values = [dot.value for dot in found if dot.value < inf]
        log = any(value > 0 for value in values) and (spans(values) if options.log is None else options.log)
        made.append(DotPanel(*head, title, sorted(found, key=lambda dot: dot.value), log))
    return dots(made, look_with([], options))


def ert_caption(run: StoredRun, options: Options) -> str:
    """Say what `ert` shows."""
    return joined(
        run,
        f"Expected running time to the target, in {options.x}{sliced(options)}: all that "
        f"{seeds_said(run, options)} of the tuned optimizer took, over the seeds that met it; a seed that missed "
        "it spent its whole budget. A cross on the right edge: no seed met it.",
    )


def time_to_target(run: StoredRun, options: Options) -> Any:
    """Draw how many seconds the target takes, a panel per problem and batch size."""
    from optbench.present.charts.dots import Dot

    tasks, timed = tasks_of(run), seconds_of(run)
    if not timed:
        raise ValueError(f"{run.folder.name}: no cell is timed; optbench throughput times them")
    panels: dict[tuple[str, str], list[Dot]] = {}
    for task, parts in tasks.items():
        for part in parts:
            steps, seconds = tuned_steps(part, options.view), timed.get(cell_of(part))
            if steps is not None and seconds is not None:
                middle, low, high = (value * seconds for value in steps)
                dot = Dot(part.record.optimizer, middle, low, high)
                panels.setdefault(titles_of(task), []).extend(told([dot], " s"))
    if not panels:
        raise ValueError(f"{run.folder.name}: {NO_TARGET}")
    return _times(panels, "seconds to target", options)


def time_to_target_caption(run: StoredRun, options: Options) -> str:
    """Say what `time-to-target` shows."""
    return joined(
        run,
        f"Seconds to the (first) target{sliced(options)}: median over {seeds_said(run, options)} of the tuned "
        "optimizer's steps, with 95 % bootstrap intervals, times the measured median seconds of a step. A cross on the "
        "right edge: most seeds missed it.",
    )
