"""Recommend an optimizer with its settings for one problem: screen, refine what is best, report on fresh seeds."""

import json
import time
from collections.abc import Sequence
from hashlib import sha256
from math import ceil, inf
from pathlib import Path
from typing import Any

from optbench.errors import RequestError, check_name, refused
from optbench.planning.jobs import Job, pick_devices, plan_jobs, resolve_suite, run_place
from optbench.problems.problem import Problem
from optbench.request import Suite
from optbench.results import Run
from optbench.runner.estimate import calibrate
from optbench.runner.executor import Deadline, OnPlan, OnProgress, Reports, Say
from optbench.runner.local import here
from optbench.runner.recommend.designs import CANDIDATES, HALVED, Costs, fewest_seconds
from optbench.runner.recommend.recommendation import Recommendation, recommend_from
from optbench.runner.recommend.stages import (
    Search,
    choose_finalists,
    measured_costs,
    refine,
    report,
    screen,
    time_steps,
)
from optbench.runner.run import run_jobs

#: What may be optimised; where nothing is said, the validation loss, or the train loss where there are no such rows.
CRITERIA = ("validation_loss", "validation_accuracy", "seconds_to_target", "train_loss")


def recommend(
    problem: str,
    *,
    minutes: float = 10.0,
    by: str | None = None,
    optimizers: Sequence[Any] = CANDIDATES,
    steps: int | None = None,
    batch_size: int | str | None = None,
    seed: int = 0,
    results: str | Path = "results",
    name: str | None = None,
    device: str | None = None,
    compile_cache: bool = True,
    on_progress: OnProgress = lambda progress: None,
    on_plan: OnPlan = lambda jobs: None,
    say: Say = lambda text: None,
) -> Recommendation:
    """Return the optimizer with its settings that does best on a problem, as far as some minutes can tell.

    Optimizers are screened in the order given, on a grid of learning rates whose worse half is dropped on the way; the
    best are refined over rates, weight decay, schedule and batch size, and two are trained on fresh seeds. `by` is what
    to optimise: one of CRITERIA. No cell begins after the minutes. Raises RequestError for what can't be asked, and
    where a few trainings take longer than the minutes.
    """
    began = time.monotonic()
    if not 0 < minutes < inf:
        raise refused("minutes", f"{minutes:g}", "a number > 0")
    if by is not None:
        check_name(by, CRITERIA, "by")
    words = {"problems": [problem], "optimizers": list(optimizers), "steps": steps, "batch_size": batch_size}
    asked = resolve_suite(None, **words, seed=seed, seeds=1, report_seeds=0, learning_rate="default:2")
    digest = sha256(json.dumps([asked.model_dump(mode="json"), by]).encode()).hexdigest()[:6]
    executor = here(pick_devices(device, 1), compile_cache)
    all_jobs: list[Job] = []

    def train(stage: str, suite: Suite, jobs: Sequence[Job], until: float) -> Run:
        folder = run_place(results, f"{name or f'recommend-{digest}'}-{stage}", suite, suite)
        keys = {job.key for job in all_jobs}
        all_jobs.extend(job for job in jobs if job.key not in keys)
        on_plan(all_jobs)
        deadline = Deadline(began + until)
        return run_jobs(
            suite, jobs, folder, executor, Reports(on_progress, say=say), throughput=False, deadline=deadline
        )

    search = Search(asked, executor, 60 * minutes, lambda: time.monotonic() - began, train, say)
    return _search(search, by, pick_devices(device, 1))


def _search(search: Search, by: str | None, devices: Any) -> Recommendation:
    jobs = plan_jobs(search.asked, search.executor.kind)
    problem = jobs[0].problem
    if isinstance(problem, Exception):
        raise RequestError(f"{jobs[0].cell.problem}: {problem}")
    if len({(job.cell.problem, job.cell.batch_size) for job in jobs}) > 1:
        raise RequestError(f"{search.asked.problems[0].spec}: several problems or batch sizes; accepted: one of each")
    criterion = _criterion(by, problem)
    costs = _costs(jobs[0], problem, devices, search)
    screens, untried = screen(search, costs, criterion)
    # The train loss stands last in a score.
    if all(each.score[-1] == inf for each in screens):
        names = ", ".join(sorted({each.label for each in screens}))
        raise RequestError(f"{jobs[0].cell.problem}: every training diverged, at every learning rate, of {names}")
    if criterion == "seconds_to_target" and all(each.score[0] == inf for each in screens):
        metric, target = next(iter(problem.targets.items()))
        criterion = _criterion(None, problem)
        search.say(
            f"no optimizer reached {metric} {target:.4g} in {screens[0].job.steps} steps: {criterion} chooses instead"
        )
        screens, untried = screen(search, costs, criterion)
    costs = measured_costs(screens, costs)
    tried = [*refine(search, costs, criterion, screens, problem), *screens]
    if criterion == "seconds_to_target":
        tried = time_steps(search, tried)
    finalists = choose_finalists(tried)
    reports = report(search, costs, criterion, finalists)
    if not reports:
        raise RequestError(f"minutes: {search.seconds / 60:g} were too few to train anything on fresh seeds")
    if criterion != "seconds_to_target":
        names = {each.label for each in reports}
        of_finalists = [each for each in tried if each.label in names and each.stage == "refine"]
        seconds = {each.job.key: each for each in time_steps(search, of_finalists)}
        tried = [seconds.get(each.job.key, each) for each in tried]
    return recommend_from(criterion, tried, reports, untried, search.passed())


def _criterion(by: str | None, problem: Problem) -> str:
    """Return what to choose by. Raises RequestError where the problem has nothing for it."""
    has_validation = problem.validation is not None
    if by is None:
        return "validation_loss" if has_validation else "train_loss"
    if by.startswith("validation") and not has_validation:
        raise RequestError(f"by: {by} is not accepted for a problem without validation rows; accepted: train_loss")
    if by == "seconds_to_target" and not problem.targets:
        raise RequestError(f"by: {by} is not accepted for a problem without a target; accepted: train_loss")
    return by


def _costs(job: Job, problem: Problem, devices: Any, search: Search) -> Costs:
    """Measure what compiling and training costs. Raises RequestError where the minutes hold too little."""
    calibration = calibrate([job], devices, search.say)
    if calibration is None:
        raise RequestError(f"{job.cell.problem}: {job.cell.optimizer} can't be trained on it")
    trial_seconds = job.steps * calibration.cost.seconds_per_trial_step
    # Running statistics lag behind early on, and say little of where a training will end.
    share = HALVED if problem.state is None else 1.0
    costs = Costs(calibration.cost.compile_seconds, trial_seconds, share)
    needed = fewest_seconds(costs) + search.passed()
    if needed > search.seconds:
        raise RequestError(
            f"minutes: {search.seconds / 60:g} is not accepted; a training of {job.steps} steps takes about "
            f"{costs.trial_seconds:.3g} s here, after {costs.compile_seconds:.3g} s of compiling; accepted: "
            f"{ceil(needed / 6) / 10:g} or more, or fewer --steps"
        )
    return costs
