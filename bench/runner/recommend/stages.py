"""The stages of a recommendation: screen, refine, report on fresh seeds, time."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from optbench.errors import RequestError
from optbench.planning.cost import cost_of_cell
from optbench.planning.jobs import Job, plan_jobs
from optbench.problems.problem import Problem
from optbench.request import Cell, Suite
from optbench.results import Run
from optbench.runner.best_suite import entry_of, spec_of
from optbench.runner.executor import Executor, Say
from optbench.runner.recommend.designs import (
    SCREENS,
    Costs,
    Design,
    Screening,
    nearby_rates,
    refinement,
    report_seeds,
    screening,
    screening_end,
)
from optbench.runner.recommend.recommendation import Tried, timed
from optbench.store.status import Outcome

#: How many of the best optimizers are refined, and of how many the batch size too.
REFINED_OPTIMIZERS, BATCHED_OPTIMIZERS = 3, 2
#: Other batch sizes are tried so many times smaller and larger than the problem's own, at the same number of examples.
TIMES = 4
#: Of every training fewer steps than this say nothing.
FEWEST_STEPS = 10


class Search(NamedTuple):
    """What the stages of a search share."""

    #: The problem and the candidates.
    asked: Suite
    executor: Executor
    #: Seconds in all, and those that have passed.
    seconds: float
    passed: Callable[[], float]
    #: Train the jobs of a stage, none of which begins after so many seconds.
    train: Callable[[str, Suite, Sequence[Job], float], Run]
    say: Say

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.seconds - self.passed()


def measured_costs(tried: Sequence[Tried], estimate: Costs) -> Costs:
    """Return what cells cost that were trained, the dearest of them, in place of an estimate."""
    costs = [cost_of_cell(each.part.results, 0) for each in tried]
    trial_seconds = tried[0].job.steps * max(cost.seconds_per_trial_step for cost in costs)
    return estimate._replace(compile_seconds=max(cost.compile_seconds for cost in costs), trial_seconds=trial_seconds)


def _grids(search: Search, suite: Suite, costs: Costs) -> list[Job]:
    return plan_jobs(suite, search.executor.kind, lambda cell: dataclasses.replace(cell, search=costs.search))


def screen(search: Search, costs: Costs, criterion: str) -> tuple[list[Tried], list[str]]:
    """Train a grid of each of the first candidates; return them, best first, and the names of those not tried."""
    asked = search.asked
    labels = list(dict.fromkeys(job.cell.optimizer for job in plan_jobs(asked, search.executor.kind)))
    plan = screening(costs, search.left(), len(labels)) or Screening(SCREENS[-1], 1)
    suite = _shaped(asked, plan.design, criterion)
    names = labels[: plan.num_optimizers]
    jobs = [job for job in _grids(search, suite, costs) if job.cell.optimizer in names]
    search.say(f"screening {len(jobs)} of {len(labels)} optimizers, {jobs[0].cell.num_points} points each")
    run = search.train("screen", suite, jobs, screening_end(costs, search.seconds))
    tried = _tried(run, jobs, "screen")
    if not tried:
        messages = [part.record.message for part in run.failed][:1]
        raise RequestError(f"{jobs[0].cell.problem}: no optimizer could be trained; {''.join(messages)}".rstrip("; "))
    ended = {part.record.optimizer for part in run.parts}
    return tried, [label for label in labels if label not in ended]


def _shaped(asked: Suite, design: Design, criterion: str, **entries: Any) -> Suite:
    words = {
        "learning_rate": f"default:{design.learning_rates}",
        "weight_decay": design.weight_decay,
        "schedule": design.schedules,
        "seeds": design.seeds,
        "select_by": tuple(dict.fromkeys((criterion, "train_loss"))),
    }
    return Suite(**asked.model_dump() | words | entries)


def _finished(run: Run, jobs: Sequence[Job], stage: str) -> list[Tried]:
    parts = {part.path.stem: part for part in run.parts if part.outcome == Outcome.FINISHED}
    return [Tried(job, parts[job.key], run.folder, stage) for job in jobs if job.key in parts]


def _tried(run: Run, jobs: Sequence[Job], stage: str) -> list[Tried]:
    """Return the finished cells of a stage, the best first."""
    return sorted(_finished(run, jobs, stage), key=lambda tried: tried.score)


def refine(search: Search, costs: Costs, criterion: str, screens: Sequence[Tried], problem: Problem) -> list[Tried]:
    """Train finer grids of the best optimizers, first at the problem's batch size, then at others."""
    best = screens[: min(REFINED_OPTIMIZERS, (len(screens) + 1) // 2 + 1)]
    sizes = _other_sizes(screens[0].job, problem) if search.asked.batch_size is None else []
    tasks = [(tried, tried.job.cell.batch_size) for tried in best]
    tasks += [(tried, size) for tried in best[:BATCHED_OPTIMIZERS] for size in sizes]
    reserve = costs.report(report_seeds(costs, 0.25 * search.seconds))
    design = refinement(costs, search.left() - reserve, len(tasks))
    if design is None:
        return []
    jobs: dict[str, Job] = {}
    suite = search.asked
    for tried, size in tasks:
        suite = _near(search.asked, design, criterion, tried, size)
        jobs |= {job.key: job for job in _grids(search, suite, costs)}
    search.say(f"refining {len(best)} optimizers, {design.num_points} points x {design.seeds} seeds, {len(jobs)} cells")
    every = [*jobs.values()]
    return _tried(search.train("refine", suite, every, search.seconds - reserve), every, "refine")


def _other_sizes(job: Job, problem: Problem) -> list[int]:
    """Return the batch sizes to try beside a cell's own."""
    size = job.cell.batch_size
    if not isinstance(size, int):
        return []
    most = problem.num_rows if problem.sample is None else size * TIMES
    sizes = {max(1, size // TIMES), min(size * TIMES, most)} - {size}
    return sorted(each for each in sizes if job.steps * size // each >= FEWEST_STEPS)


def _near(asked: Suite, design: Design, criterion: str, tried: Tried, size: Any) -> Suite:
    """Return the suite of a grid round an optimizer's best settings, at a batch size with as many examples."""
    cell, best = tried.job.cell, tried.part.results.best
    ratio = 1.0 if size == cell.batch_size else size / cell.batch_size
    # As Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014, has it for the noise.
    centre = best["learning_rate"] * ratio**0.5
    rates = nearby_rates(centre, [point["learning_rate"] for point in cell.points], design.learning_rates)
    schedules = tuple(dict.fromkeys((best.get("schedule", cell.points[0]["schedule"]), *design.schedules)))
    entry = entry_of(tried.job, best) | {
        "learning_rate": ",".join(map(repr, rates)),
        "weight_decay": design.weight_decay,
        "schedule": schedules[: len(design.schedules)],
    }
    task = {"spec": _problem_spec(cell), "batch_size": str(size), "steps": max(1, round(tried.job.steps / ratio))}
    return _shaped(asked, design, criterion, problems=[task], optimizers=[entry])


def _problem_spec(cell: Cell) -> str:
    return spec_of(cell.problem, cell.problem_name, cell.problem_parameters)


def choose_finalists(tried: Sequence[Tried]) -> list[Tried]:
    """Return the best cell of each of the two best optimizers, by those that chose on the most seeds.

    A finer grid on as many seeds doesn't count for more than the screening: it may have dropped what did best there.
    """
    best: dict[str, Tried] = {}
    for each in sorted(tried, key=lambda each: (-each.job.cell.seeds, each.score, each.stage != "refine")):
        best.setdefault(each.label, each)
    return [*best.values()][:2]


def report(search: Search, costs: Costs, criterion: str, finalists: Sequence[Tried]) -> list[Tried]:
    """Train the finalists' settings on fresh seeds."""
    seeds = report_seeds(costs, search.left())
    jobs: list[Job] = []
    suite = search.asked
    for tried in finalists:
        cell = tried.job.cell
        task = {"spec": _problem_spec(cell), "batch_size": str(cell.batch_size), "steps": tried.job.steps}
        entry = entry_of(tried.job, tried.part.results.best)
        fixed = {"report_seeds": seeds, "studies": 1, "problems": [task], "optimizers": [entry]}
        suite = _shaped(search.asked, Design(1, "0", ("constant",)), criterion, **fixed)
        jobs += plan_jobs(suite, search.executor.kind)
    search.say(f"reporting on {seeds} fresh seeds")
    reports = _finished(search.train("report", suite, jobs, search.seconds), jobs, "report")
    ended = {each.label for each in reports}
    if late := [each.label for each in finalists if each.label not in ended]:
        search.say(f"no time was left to train {', '.join(late)} on fresh seeds")
    seconds = {(each.label, each.job.cell.batch_size): each.step_seconds for each in finalists}
    return [each._replace(step_seconds=seconds.get((each.label, each.job.cell.batch_size))) for each in reports]


def time_steps(search: Search, tried: Sequence[Tried]) -> list[Tried]:
    """Return what was tried with the seconds of its steps, as far as there is time to measure them."""
    groups: dict[tuple[Any, ...], list[Tried]] = {}
    for each in tried:
        groups.setdefault((each.folder, each.job.cell.batch_size), []).append(each)
    for (folder, _), members in groups.items():
        if search.left() > 0:
            search.executor.time([each.job for each in members], folder, search.say)
    return [timed(each) for each in tried]
