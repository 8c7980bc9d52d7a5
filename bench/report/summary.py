"""A run in three sentences: which optimizer ranks first, by how much, and which cells and trials failed."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
from jaxtyping import Float

from optbench.analyse.comparison import Comparison, Rules, compare
from optbench.analyse.outcomes import Slice, counted_alike, outcomes
from optbench.analyse.ranks import problem_ranks, rank_test
from optbench.analyse.significance import LEVEL
from optbench.compare.compare import side
from optbench.compare.operands import Operand
from optbench.store.run import StoredRun
from optbench.store.status import Outcome
from optbench.tables.convergence import convergence

#: The first is compared with the first of these that the run holds beside it.
REFERENCES = ("adamw", "adam", "sgd")
#: Names that a sentence lists; of more it gives the number.
MOST_NAMED = 4


def summary(run: StoredRun) -> list[str]:
    """Return three sentences on a run; two if nothing has finished or nothing can be ranked."""
    if not any(part.outcome == Outcome.FINISHED for part in run.parts):
        return ["Nothing has finished in this run, so there is nothing to compare.", _failures(run)]
    names, ranked = problem_ranks(run.parts, Slice())
    if len(names) < 2 or not ranked.size:
        return [_alone(run, names), _failures(run)]
    best, following = (names[int(index)] for index in np.argsort(ranked.mean(axis=0), kind="stable")[:2])
    reference = next((name for name in REFERENCES if name in names and name != best), following)
    return [_first(names, ranked, run), _against(run, best, reference), _failures(run)]


def _alone(run: StoredRun, names: Sequence[str]) -> str:
    if len(names) > 1:
        return "No problem was run with all of the optimizers, so they are not ranked."
    _, rows = convergence(run.parts, Slice())
    lowest = min((row["train_loss"] for row in rows if row["train_loss"] is not None), default=float("inf"))
    return f"{names[0]} is alone in this run, with a train loss of {lowest:.4g} at best, so there is nothing to rank."


def _first(names: Sequence[str], ranked: Float[np.ndarray, "problem optimizer"], run: StoredRun) -> str:
    """Name the optimizer that ranks first, and say whether the ranks tell it from the next."""
    mean = ranked.mean(axis=0)
    best, following = map(int, np.argsort(mean, kind="stable")[:2])
    tied = int(np.sum(mean == mean[best]))
    first = f"{names[best]} comes first of {len(names)} optimizers"
    if tied > 1:
        first = f"{names[best]} and {tied - 1} more of {len(names)} optimizers come first together"
    if len(ranked) == 1:
        problems = {part.record.problem for part in run.parts}
        problem = next(iter(problems)) if len(problems) == 1 else "the one problem that all were run on"
        verdict = "" if tied > 1 else f"; {_next_verdict(run, names[best], names[following])}"
        return f"{first} on {problem}, by the tuned median loss over the report seeds{verdict}."
    first += f" over {len(ranked)} problems, with a mean rank of {mean[best]:.3g}"
    first += f" before {names[following]} with {mean[following]:.3g}" if tied == 1 else ""
    return f"{first}; {_test(ranked, mean - mean[best], float(mean[following] - mean[best]))}."


def _test(
    ranked: Float[np.ndarray, "problem optimizer"], distances: Float[np.ndarray, " optimizer"], to_the_next: float
) -> str:
    """Say whether Friedman's test tells the ranks apart, and how many lie behind the first by Nemenyi's."""
    test = rank_test(ranked)
    if test is None:
        return "two optimizers have too few ranks to test"
    if test.p > LEVEL:
        return f"Friedman's test can't tell any of the ranks apart (p = {test.p:.2g})"
    behind = _behind(distances, to_the_next, test.critical)
    return f"Friedman's test says that ranks differ (p = {test.p:.2g}), and {behind}"


def _behind(distances: Float[np.ndarray, " optimizer"], to_the_next: float, critical: float) -> str:
    """Count the optimizers so far behind the first that Nemenyi's test tells them apart."""
    num, count = len(distances) - 1, int(np.sum(distances > critical))
    by = f"by more than Nemenyi's critical difference of {critical:.2g}"
    if not count:
        return f"yet none of the {num} others lies behind {by}"
    next_too = "the next among them" if to_the_next > critical else "but not the next"
    return f"{count} of the {num} others lie behind {by}, {next_too}"


def _compared(run: StoredRun, best: str, reference: str) -> Comparison:
    """Compare two optimizers of a run, paired by seed. Raises ValueError if they can't be compared."""
    sides = [side(Operand(name, run, name), Rules(), False) for name in (best, reference)]
    return compare(sides[0], sides[1], Rules(view=Slice(every_step=counted_alike(run.parts))))


def _next_verdict(run: StoredRun, best: str, following: str) -> str:
    """Say how sure it is that the first is better than the next, on the one problem."""
    try:
        row = _compared(run, best, following).rows[0]
    except ValueError:
        return f"the next is {following}"
    verdict = {"equal": "equal within 5 %", "undecided": "not to be told from it"}.get(row["verdict"], row["verdict"])
    values = f"{row['value']:.3g} against {row['reference_value']:.3g}"
    test = "nothing random there" if row["p_value"] is None else f"p = {row['p_value']:.2g}"
    return f"paired by seed against the next, {following}, it is {verdict} ({values}, {test})"


def _against(run: StoredRun, best: str, reference: str) -> str:
    """Compare the first with the reference, in verdicts, scores and steps, each with how sure it is."""
    try:
        comparison = _compared(run, best, reference)
    except ValueError as error:
        return f"{best} can't be compared with {reference}: {error}."
    scores = comparison.summary
    interval = f"[{scores['improvement_low']:.2f}, {scores['improvement_high']:.2f}]"
    return (
        f"{comparison.sentence}, and on a problem and seed drawn at random it is better with probability "
        f"{scores['improvement']:.2f} {interval}{_speedup(scores)}."
    )


def _speedup(scores: Mapping[str, Any]) -> str:
    speedup, num = scores["speedup"], scores["speedup_on"]
    if not num or not isfinite(speedup):
        return ""
    times = f"{max(speedup, 1 / speedup):.3g} times {'fewer' if speedup >= 1 else 'more'}"
    count = "as many" if abs(np.log(speedup)) < 0.005 else times
    total = scores["num_problems"]
    shared = "" if num == total else f" (on the {num} of {total} where both get there)"
    return f"; it takes {count} gradient evaluations to the target{shared}"


def _failures(run: StoredRun) -> str:
    """Count cells that failed or are missing, trials that diverged, and winners at an edge of their grid."""
    total, finished = len(run.manifest["cells"]), [part for part in run.parts if part.outcome == Outcome.FINISHED]
    all_finished = f"All {total} cells finished"
    counts = [f"{len(finished)} of {total} cells finished" if len(finished) < total else all_finished]
    counts += [f"{len(run.failed)} failed"] if run.failed else []
    counts += [f"{len(run.torn)} torn"] if run.torn else []
    counts += [f"{run.missing} missing"] if run.missing else []
    if finished:
        num_diverged, tried = diverged(run)
        grids = f"{num_diverged} of {tried} trials of the grids" if num_diverged else f"none of {tried} trials"
        counts.append(f"{grids} diverged" if tried else "the trials of the grids are not kept")
        edges = [part.record.optimizer for part in finished if part.results.edges]
        counts.append(_edges(edges, len(finished)))
    return f"{', '.join(counts[:-1])}, and {counts[-1]}." if len(counts) > 1 else f"{counts[0]}."


def _edges(names: Sequence[str], total: int) -> str:
    if not names:
        return "every winner lies inside its grid"
    distinct = list(dict.fromkeys(names))
    listed = f" ({', '.join(distinct)})" if len(distinct) <= MOST_NAMED else ""
    lies = "winner lies" if len(names) == 1 else "winners lie"
    return f"{len(names)} of {total} {lies} at an edge of the grid{listed}, where a wider one may do better"


def diverged(run: StoredRun) -> tuple[int, int]:
    """Count the selection trials that diverged, and all of them; (0, 0) if they are not kept."""
    finished = [part for part in run.parts if part.outcome == Outcome.FINISHED]
    try:
        masks = [outcomes(part, "select", Slice()).diverged for part in finished]
    except ValueError:
        return 0, 0
    return int(sum(mask.sum() for mask in masks)), sum(mask.size for mask in masks)
