"""What a run says, in three sentences: who is first, by how much, and what did not go well."""

from collections.abc import Sequence
from math import isfinite

import numpy as np

from optbench.analyse.comparison import Rules, compare
from optbench.analyse.outcomes import Slice, outcomes
from optbench.analyse.ranks import problem_ranks, tested
from optbench.analyse.significance import LEVEL
from optbench.compare.compare import side
from optbench.compare.operands import Operand
from optbench.request import RequestError
from optbench.store.run import StoredRun
from optbench.tables.convergence import convergence

#: What the first is held against, the first of these that was run beside it.
REFERENCES = ("adamw", "adam", "sgd")
#: Names that a sentence lists; of more it tells the number.
MOST_NAMED = 4


def summary(run: StoredRun) -> list[str]:
    """Say in three sentences what a run found; in one or two where it found less."""
    if not any(part.outcome == "finished" for part in run.parts):
        return ["Nothing has finished in this run, so there is nothing to compare.", _troubles(run)]
    names, ranked = problem_ranks(run.parts, Slice())
    if len(names) < 2 or not ranked.size:
        return [_alone(run, names), _troubles(run)]
    best, following = (names[int(place)] for place in np.argsort(ranked.mean(axis=0), kind="stable")[:2])
    reference = next((name for name in REFERENCES if name in names and name != best), following)
    return [_first(names, ranked, run), _against(run, best, reference), _troubles(run)]


def _alone(run: StoredRun, names: Sequence[str]) -> str:
    if len(names) > 1:
        return "No problem was run with all of the optimizers, so they are not ranked."
    _, rows = convergence(run.parts, Slice())
    lowest = min((row["train_loss"] for row in rows if row["train_loss"] is not None), default=float("inf"))
    return f"{names[0]} is alone in this run, with a train loss of {lowest:.4g} at best, so there is nothing to rank."


def _first(names: Sequence[str], ranked: np.ndarray, run: StoredRun) -> str:
    """Say which optimizer ranks first, and whether it can be told from the next."""
    mean = ranked.mean(axis=0)
    best, following = map(int, np.argsort(mean, kind="stable")[:2])
    tied = int(np.sum(mean == mean[best]))
    said = f"{names[best]} comes first of {len(names)} optimizers"
    if tied > 1:
        said = f"{names[best]} and {tied - 1} more of {len(names)} optimizers come first together"
    if len(ranked) == 1:
        problems = {part.record.problem for part in run.parts}
        where = next(iter(problems)) if len(problems) == 1 else "the one problem that all were run on"
        told = "" if tied > 1 else f"; {_judged(run, names[best], names[following])}"
        return f"{said} on {where}, by the tuned median loss over the report seeds{told}."
    said += f" over {len(ranked)} problems, with a mean rank of {mean[best]:.3g}"
    said += f" before {names[following]} with {mean[following]:.3g}" if tied == 1 else ""
    test = tested(ranked)
    if test is None:
        return f"{said}; two optimizers have too few ranks to test."
    if test.p > LEVEL:
        return f"{said}; Friedman's test can't tell any of the ranks apart (p = {test.p:.2g})."
    said += f"; Friedman's test says that ranks differ (p = {test.p:.2g})"
    return f"{said}, and {_behind(mean - mean[best], float(mean[following] - mean[best]), test.critical)}."


def _behind(distances: np.ndarray, to_the_next: float, critical: float) -> str:
    """Count who lies so far behind the first that Nemenyi's test tells them apart."""
    num, count = len(distances) - 1, int(np.sum(distances > critical))
    by = f"by more than Nemenyi's critical difference of {critical:.2g}"
    if not count:
        return f"yet none of the {num} others lies behind {by}"
    next_too = "the next among them" if to_the_next > critical else "but not the next"
    return f"{count} of the {num} others lie behind {by}, {next_too}"


def _judged(run: StoredRun, best: str, following: str) -> str:
    """Say how sure it is that the first is better than the next, on the one problem."""
    try:
        sides = [side(Operand(name, run, name), Rules(), False) for name in (best, following)]
        found = compare(sides[0], sides[1], Rules())
    except (RequestError, ValueError):
        return f"the next is {following}"
    row = found.rows[0]
    verdict = {"equal": "equal within 5 %", "undecided": "not to be told from it"}.get(row["verdict"], row["verdict"])
    said = f"{row['value']:.3g} against {row['reference_value']:.3g}"
    return f"paired by seed against the next, {following}, it is {verdict} ({said}, p = {row['p_value']:.2g})"


def _against(run: StoredRun, best: str, reference: str) -> str:
    """Say how far the first is from the reference, in verdicts, scores and steps, each with how sure it is."""
    try:
        sides = [side(Operand(name, run, name), Rules(), False) for name in (best, reference)]
        found = compare(sides[0], sides[1], Rules())
    except (RequestError, ValueError) as error:
        return f"{best} can't be compared with {reference}: {error}."
    over = found.summary
    said = f"{found.sentence}, and on a problem and seed drawn at random it is better with probability "
    said += f"{over['improvement']:.2f} [{over['improvement_low']:.2f}, {over['improvement_high']:.2f}]"
    speedup, num = over["speedup"], over["speedup_on"]
    if num and isfinite(speedup):
        much = f"{max(speedup, 1 / speedup):.3g} times {'fewer' if speedup >= 1 else 'more'}"
        much = "as many" if abs(np.log(speedup)) < 0.005 else much
        where = "" if num == over["num_problems"] else f" (on the {num} of {over['num_problems']} where both get there)"
        said += f"; it takes {much} steps to the target{where}"
    return f"{said}."


def _troubles(run: StoredRun) -> str:
    """Count what failed, is missing, diverged, or lies at an edge of its grid."""
    total, finished = len(run.manifest["cells"]), [part for part in run.parts if part.outcome == "finished"]
    said = [f"{len(finished)} of {total} cells finished" if len(finished) < total else f"All {total} cells finished"]
    said += [f"{len(run.failed)} failed"] if run.failed else []
    said += [f"{len(run.torn)} torn"] if run.torn else []
    said += [f"{run.missing} missing"] if run.missing else []
    if finished:
        lost, tried = diverged(run)
        grids = f"{lost} of {tried} trials of the grids diverged" if lost else f"none of {tried} trials diverged"
        said.append(grids if tried else "the trials of the grids are not kept")
        edges = [part for part in finished if part.results.at_edge]
        said.append(_edges([f"{part.record.optimizer}" for part in edges], len(finished)))
    return f"{', '.join(said[:-1])}, and {said[-1]}." if len(said) > 1 else f"{said[0]}."


def _edges(names: Sequence[str], total: int) -> str:
    if not names:
        return "every winner lies inside its grid"
    listed = list(dict.fromkeys(names))
    more = f" ({', '.join(listed)})" if len(listed) <= MOST_NAMED else ""
    lies = "winner lies" if len(names) == 1 else "winners lie"
    return f"{len(names)} of {total} {lies} at an edge of the grid{more}, where a wider one may do better"


def diverged(run: StoredRun) -> tuple[int, int]:
    """Count the selection trials that diverged, and all of them; none where they are not kept."""
    try:
        found = [outcomes(part, "select", Slice()).diverged for part in run.parts if part.outcome == "finished"]
    except ValueError:
        return 0, 0
    return int(sum(one.sum() for one in found)), sum(one.size for one in found)
