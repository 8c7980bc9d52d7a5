"""Tables that compare optimizers, after a check that their cells can be compared."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from optbench.analyse.comparison import COLUMNS, SUMMARY, Comparison, Rules, Side, Task, compare_pairs, paired
from optbench.analyse.costs import METRICS
from optbench.analyse.outcomes import counted_alike
from optbench.analyse.statistics import interval_words
from optbench.analyse.step_times import step_seconds
from optbench.compare.notes import and_more, edge_notes, equality_notes
from optbench.compare.operands import Operand, Runner, find_operands, pairs, run_of, run_plugins
from optbench.present.table import Table
from optbench.request import RequestError, nearest
from optbench.store.locations import locate
from optbench.store.record import CellRecord
from optbench.store.status import Outcome
from optbench.store.timings import Timing

#: References that the title names.
MOST_NAMED = 3
TIME_NOTES = ["the intervals hold the variation over seeds, not the timing noise of a step"]


class ComparisonTables(NamedTuple):
    """Two tables, a sentence for each pair, and whether the first optimizer is worse on any problem."""

    per_problem: Table
    overall: Table
    sentences: tuple[str, ...]
    worse: bool
    #: Those of the first table, with the ratios that a forest plot shows.
    rows: Sequence[Mapping[str, Any]] = ()


def compare_optimizers(
    words: Sequence[str],
    rules: Rules | None = None,
    *,
    results: str | Path = "results",
    runner: Runner,
    anyway: bool = False,
) -> ComparisonTables:
    """Return the comparison of the first of some optimizers with each of the others.

    Each word names an optimizer of the newest run that has it, RUN:OPTIMIZER, a whole run, or a plug-in, which `runner`
    runs first. Raises RequestError for a word that names none of these, for a metric or budget that is not accepted,
    and for cells that can't be compared, unless `anyway`.
    """
    rules = rules or Rules()
    if len(words) < 2:
        raise RequestError("two are needed to compare: an optimizer, RUN:OPTIMIZER, a run, or ./file.py:make each")
    if rules.metric is not None and rules.metric not in METRICS:
        raise RequestError(f"unknown metric {rules.metric!r}{nearest(rules.metric, METRICS)}")
    if rules.budget is not None and (rules.budget < 1 or (rules.metric or "").endswith("_to_target")):
        raise RequestError(f"budget: {rules.budget} is not accepted; accepted: integers >= 1, with losses and accuracy")
    operands = run_plugins(find_operands(words, locate(results)), rules.metric == "time_to_target", runner)
    return compare_operands(operands, rules, anyway=anyway)


def compare_operands(operands: Sequence[Operand], rules: Rules, *, anyway: bool = False) -> ComparisonTables:
    """Return the comparison of the first of some stored optimizers or runs with each of the others.

    Raises RequestError if they have no task in common, or for cells that can't be compared, unless `anyway`.
    """
    first, *others = operands
    both_sides: list[tuple[Side, Side]] = []
    notes: list[str] = []
    spaces: list[str] = []
    for pair in [pair for other in others for pair in pairs(first, other)]:
        with_run = pair[0].optimizer == pair[1].optimizer
        sides = (side(pair[0], rules, with_run), side(pair[1], rules, with_run))
        every_step = counted_alike([part for one in sides for part in one.parts.values()])
        rules = replace(rules, view=replace(rules.view, every_step=every_step))
        differs, remarks = differences(pair, sides, rules)
        if differs and not anyway:
            names = " and ".join(side.label for side in sides)
            raise RequestError(f"{names} can't be compared: {'; '.join(differs)}; --anyway compares them all the same")
        both_sides.append(sides)
        spaces += other_spaces(sides)
        notes += [*(f"compared all the same, but {text}" for text in differs), *remarks]
    try:
        comparisons = compare_pairs(both_sides, rules)
    except ValueError as error:
        raise RequestError(str(error)) from error
    notes += [*edge_notes(both_sides), *(note for comparison in comparisons for note in comparison.notes)]
    names = [run_of(operand).folder.name for operand in (first, *others)]
    return _tables(comparisons, names, list(dict.fromkeys(notes)), rules, list(dict.fromkeys(spaces)))


def side(operand: Operand, rules: Rules, with_run: bool) -> Side:
    """Return an operand's finished cells, with its run in the label if `with_run`.

    Raises RequestError if no cell is finished.
    """
    run, name = run_of(operand), operand.optimizer
    own = [part for part in run.parts if part.record.optimizer == name]
    parts = {_task(part.record): part for part in own if part.outcome == Outcome.FINISHED}
    label = f"{run.folder.name}:{name}" if with_run else str(name)
    if not parts:
        failed = "; ".join(dict.fromkeys(part.record.message for part in own if part.outcome == Outcome.FAILED))
        raise RequestError(f"{run.folder.name}:{name} has no finished cell{f': {failed}' if failed else ''}")
    timings = [timing for timing in run.timings if timing.optimizer == name] if rules.metric == "time_to_target" else []
    seconds = step_seconds(timings)
    step_times = {
        _task(timing): (
            seconds[timing.problem, name, timing.batch_size],
            ", ".join(map(str, timing.device.values())),
        )
        for timing in timings
    }
    return Side(label, parts, step_times)


def other_spaces(sides: tuple[Side, Side]) -> list[str]:
    """Return what two sides were tuned over where it differs: "learning_rate 1e-4 to 1 in 8 against ..."."""
    texts = []
    for task in (task for task in sides[0].parts if task in sides[1].parts):
        first, second = (side.parts[task].results.space for side in sides)
        texts += [_unlike(axis, [first[axis], second[axis]]) for axis in first if axis in second]
    return [f"{sides[0].label} was tuned over other values than {sides[1].label}: {text}" for text in texts if text]


def _task(cell: CellRecord | Timing) -> Task:
    return (cell.problem, cell.batch_size)


def differences(pair: tuple[Operand, Operand], sides: tuple[Side, Side], rules: Rules) -> tuple[list[str], list[str]]:
    """Return the differences that make two sides incomparable, and those of versions and device.

    Raises ValueError if trials are not stored.
    """
    manifests = [run_of(operand).manifest for operand in pair]
    suites = [manifest["suite"] for manifest in manifests]
    differs = [_unlike(name, [suite.get(name) for suite in suites]) for name in ("dtype", "decay", "seed")]
    same_seeds = not any(differs)
    for task in (task for task in sides[0].parts if task in sides[1].parts):
        texts = _task_differences(task, sides, rules, same_seeds)
        differs += [f"{text} on {task[0]} at {task[1]}" for text in texts if text]
    versions = [manifest.get("versions", {}) for manifest in manifests]
    remarks = [
        _unlike(name, [packages.get(name) for packages in versions]) for name in ("optbench", "jax", "optax", "flax")
    ]
    remarks.append(_unlike("device", [manifest["device"]["device"] for manifest in manifests]))
    return _shortened(filter(None, differs)), [text for text in remarks if text]


def _task_differences(task: Task, sides: tuple[Side, Side], rules: Rules, same_seeds: bool) -> list[str]:
    parts = [side.parts[task] for side in sides]
    records, both = [part.record for part in parts], [part.results for part in parts]
    texts = [
        _unlike("steps", [results.steps for results in both]),
        _unlike("seeds", [record.seeds for record in records]),
        _unlike("studies", [record.studies for record in records]),
        _unlike("optimum", [results.optimum for results in both]),
        _unlike("targets", [results.targets for results in both]),
        _unlike("examples_per_step", [results.examples_per_step for results in both]),
    ]
    # Where parts say what was tried, another space is named above the table: it belongs to what is compared.
    if rules.budget is None and not all(results.space for results in both):
        texts.append(_unlike("points tried", [record.num_points for record in records]))
    if bool(records[0].report_seeds) != bool(records[1].report_seeds):
        return [*texts, "report seeds against selection seeds"]
    costs = paired(*sides, task, replace(rules, budget=None))
    if (
        same_seeds
        and costs
        and not np.allclose(costs[0].initial_losses, costs[1].initial_losses, rtol=1e-3, equal_nan=True)
    ):
        texts.append("the same seeds start from different losses, so the problem or its data is not the same")
    if all(task in side.timings for side in sides):
        texts.append(_unlike("machine", [side.timings[task][1] for side in sides]))
    return texts


def _unlike(name: str, values: Sequence[Any]) -> str:
    return "" if values[0] == values[1] else f"{name} {values[0]} against {values[1]}"


def _shortened(texts: Iterable[str]) -> list[str]:
    """Return each difference once, with the number of tasks that have it."""
    tasks_of: dict[str, list[str]] = {}
    for text in texts:
        difference, _, task = text.partition(" on ")
        tasks_of.setdefault(difference, []).append(task)
    return [
        f"{difference} on {tasks[0]}{and_more(tasks)}" if tasks[0] else difference
        for difference, tasks in tasks_of.items()
    ]


def _intervals(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return what the intervals of a comparison's rows are: those of one trial alone are none."""
    return interval_words(min((row["num_seeds"] for row in rows if row["num_seeds"] > 1), default=1))


def _pairs_text(comparisons: Sequence[Comparison]) -> str:
    """Return which optimizers are compared: "adamw against muon", or of many their number."""
    summaries = [comparison.summary for comparison in comparisons]
    first, others = (list(dict.fromkeys(row[name] for row in summaries)) for name in ("optimizer", "reference"))
    if len(first) == 1 and len(others) <= MOST_NAMED:
        return f"{first[0]} against {' and '.join(others)}"
    return f"{len(summaries)} pairs of optimizers"


def _tables(
    comparisons: Sequence[Comparison], names: Sequence[str], notes: Sequence[str], rules: Rules, spaces: Sequence[str]
) -> ComparisonTables:
    """Return the two tables of all pairs."""
    rows = [row for comparison in comparisons for row in comparison.rows]
    source = "over fresh report seeds with tuned settings"
    if rules.budget is not None:
        source = f"over the selection seeds of the expected best of {rules.budget} points"
    runs = ", ".join(dict.fromkeys(names))
    per_problem = Table(
        "; ".join([f"{_pairs_text(comparisons)} (run{'s' * (len(set(names)) > 1)} {runs})", *spaces]),
        COLUMNS,
        rows,
        (
            f"medians {source}, with {_intervals(rows)}; difference: optimizer - reference, on the same seed",
            "better, worse: the interval of the difference excludes zero, and Wilcoxon's signed-rank test has p <= "
            f"0.05, corrected over all rows (at most 5 % of these verdicts are false); equal: it lies within "
            f"{100 * rules.margin:g} % of the reference; undecided: neither, too few seeds to tell",
            *equality_notes(rows, rules),
            *(TIME_NOTES if rules.metric == "time_to_target" else []),
            *notes,
        ),
        important=("problem", "optimizer", "reference", "batch_size", "verdict", "difference", "value", "p_value"),
    )
    overall = Table(
        "over all problems",
        SUMMARY,
        [comparison.summary for comparison in comparisons],
        (
            "improvement: probability of beating the reference on a random problem and seed; score: 0 at the optimum "
            "(or the better of the two), 1 at the start, in the logarithm of the loss",
            "speedup: how many times fewer gradient evaluations to the target, on the speedup_on problems where both "
            "reach it; tie: equal or undecided",
        ),
        important=("optimizer", "reference", "win", "tie", "loss", "improvement", "speedup", "score"),
    )
    sentences = tuple(comparison.sentence for comparison in comparisons)
    worse = any(row["verdict"] == "worse" for row in rows)
    return ComparisonTables(per_problem, overall, sentences, worse, rows)
