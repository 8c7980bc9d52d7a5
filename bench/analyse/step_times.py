"""What a step costs, and with it how long a target takes: tables over stored timings and curves."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from optbench.analyse.outcomes import Slice
from optbench.analyse.statistics import median, median_rank_interval, profile_score
from optbench.store.parts import Part
from optbench.tables.convergence import convergence

Timing = Mapping[str, Any]

COLUMNS = (
    "problem",
    "optimizer",
    "batch_size",
    "dtype",
    "step_seconds",
    "step_seconds_low",
    "step_seconds_high",
    "examples_per_second",
    "sgd_ratio",
    "update_share",
    "trace_seconds",
    "compile_seconds",
    "first_step_seconds",
    "state_bytes",
    "state_bytes_per_parameter",
    "peak_bytes",
    "flops_per_step",
    "flops_per_second",
    "percent_of_limit",
)
#: The two ceilings a step is held against: what of it, and the rate that was measured.
LIMITS = {
    "product": ("flops_per_step", "product_flops_per_second"),
    "copy": ("bytes_per_step", "copy_bytes_per_second"),
}
#: Rows of the rarer limit that a note names; of more it tells the number.
MOST_NAMED = 6


def throughput(timings: Iterable[Timing]) -> tuple[list[str], list[dict[str, Any]]]:
    """Summarise each timed cell: (columns, rows), in the order of problems and batch sizes, cheapest step first."""
    rows = [_row(timing) for timing in timings]
    return [*COLUMNS], sort_within(rows, ("problem", "batch_size"), "step_seconds")


def sort_within(rows: Sequence[dict[str, Any]], names: Sequence[str], by: str) -> list[dict[str, Any]]:
    """Keep groups of rows in the order they first come in, and order each by a number; missing ones last."""

    def group(row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in names)

    place = {key: index for index, key in enumerate(dict.fromkeys(map(group, rows)))}
    return sorted(rows, key=lambda row: (place[group(row)], row[by] is None, row[by] or 0.0))


def _row(timing: Timing) -> dict[str, Any]:
    names = {name: timing[name] for name in COLUMNS[:4]}
    if timing["outcome"] == "failed":
        return dict.fromkeys(COLUMNS) | names
    step, low, high = median_rank_interval(np.array(timing["step_seconds"]))
    shares = limit_shares(timing)
    measured = {name: timing[name] for name in COLUMNS if name in timing and name != "step_seconds"}
    return (
        names
        | {
            "step_seconds": step,
            "step_seconds_low": low,
            "step_seconds_high": high,
            "examples_per_second": timing["examples_per_step"] / step,
            "sgd_ratio": step / median(np.array(timing["sgd_seconds"])),
            "update_share": 1 - median(np.array(timing["gradient_seconds"])) / step,
            "state_bytes_per_parameter": timing["state_bytes"] / timing["num_parameters"],
            "flops_per_second": timing["flops_per_step"] / step,
            "percent_of_limit": 100 * max(shares.values()),
        }
        | {name: value for name, value in measured.items() if name not in names}
    )


def limit_shares(timing: Timing) -> dict[str, float]:
    """Compare a timed cell with each limit that was measured in the same run."""
    step = median(np.array(timing["step_seconds"]))
    return {limit: timing[work] / step / timing[rate] for limit, (work, rate) in LIMITS.items()}


TARGET_NOTES = [
    "time_to_target is the median of steps_to_target times step_seconds, infinite (null in JSON) where most seeds miss",
    "ratio: over the fastest optimizer on that problem; score: the area under the performance profile from 1 to 4, "
    "which is the mean over problems of (4 - r) / 3, between 0 and 1, with r the ratio at the fastest batch size",
]


def notes(timings: Sequence[Timing]) -> list[str]:
    """Say how the rows were measured, and which timings failed."""
    failed = [timing for timing in timings if timing["outcome"] == "failed"]
    finished = [timing for timing in timings if timing["outcome"] == "finished"]
    said = [f"{timing['problem']} / {timing['optimizer']}: {timing['message']}" for timing in failed]
    if not finished:
        return said
    repeats = sorted({len(timing["step_seconds"]) for timing in finished})
    said += [
        f"one unbatched trial each, many steps a call; medians of {' or '.join(map(str, repeats))} calls, in turns "
        f"with the others of a problem and batch size, with exact 95 % intervals; on {_machines(finished)}",
        "sgd_ratio: over plain sgd's step; update_share: what a step takes beyond one loss and gradient (below zero "
        "where it takes less than keeping that gradient), with the further ones of sam, sophia and lbfgs; flops are "
        "counted from the program as written",
    ]
    if any(timing["compile_seconds"] is None for timing in finished):
        said.append("compile_seconds -: the program came out of the compilation cache")
    return said + _limit_notes(finished)


def _machines(finished: Sequence[Timing]) -> str:
    """Name the machine, or which problems were timed on which: seconds of two machines are not to be compared."""
    timed: dict[str, dict[str, None]] = {}
    for timing in finished:
        machine = f"{timing['device']['device']}, {timing['device']['cpu']}"
        timed.setdefault(machine, {})[timing["problem"]] = None
    if len(timed) == 1:
        return next(iter(timed))
    return "; ".join(f"{machine}: {', '.join(problems)}" for machine, problems in timed.items())


def _limit_notes(finished: Sequence[Timing]) -> list[str]:
    """Say what the limits are, and which of them each row is held against."""
    notes = []
    for dtype in dict.fromkeys(timing["dtype"] for timing in finished):
        some = [timing for timing in finished if timing["dtype"] == dtype]
        product, copy = (some[0][rate] / 1e9 for _, rate in LIMITS.values())
        notes.append(
            f"percent_of_limit: the larger share of what was measured in the same run, a {dtype} product at "
            f"{product:.3g} GFLOP/s and a copy at {copy:.3g} GB/s; {_nearest(some)}"
        )
    return notes


def _nearest(timings: Sequence[Timing]) -> str:
    """Name the rows held against the rarer limit: whole problems, or whole batch sizes, where all their rows are."""
    nearest = {}
    for timing in timings:
        cell = (timing["problem"], timing["batch_size"], timing["optimizer"])
        nearest[cell] = max((share, limit) for limit, share in limit_shares(timing).items())[1]
    rare, common = sorted(sorted(LIMITS), key=list(nearest.values()).count)
    if rare not in nearest.values():
        return f"of the {common} in every row"
    named: dict[tuple[Any, ...], None] = {}
    for cell, limit in nearest.items():
        prefixes = [cell[:length] for length in (1, 2, 3)]
        # The shortest of its names that fits no row of the other limit.
        alone = [prefix for prefix in prefixes if {nearest[other] for other in _under(prefix, nearest)} == {rare}]
        named |= dict.fromkeys(alone[:1] if limit == rare else [])
    if len(named) > MOST_NAMED:
        count = sum(limit == rare for limit in nearest.values())
        return f"of the {rare} in {count} of {len(nearest)} rows, of the {common} in the others"
    return (
        f"of the {rare} for {', '.join(' / '.join(map(str, name)) for name in named)}, of the {common} for all others"
    )


def _under(prefix: tuple[Any, ...], cells: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [cell for cell in cells if cell[: len(prefix)] == prefix]


def time_to_target(
    parts: Sequence[Part], timings: Iterable[Timing], view: Slice
) -> tuple[list[str], list[dict[str, Any]]]:
    """Multiply steps to target with the seconds of a step: (columns, rows); first the scores over all problems.

    `ratio` compares an optimizer's fastest batch size with the fastest optimizer on that problem, and `score` is the
    area under its performance profile up to 4 times as long as the fastest.
    """
    rows = _timed_rows(parts, timings, view)
    best: dict[tuple[str, str], float] = {}
    for row in rows:
        key = (row["problem"], row["optimizer"])
        best[key] = min(best.get(key, np.inf), row["time_to_target"])
    problems = list(dict.fromkeys(row["problem"] for row in rows))
    fastest = {name: min(time for (problem, _), time in best.items() if problem == name) for name in problems}
    for row in rows:
        row["ratio"] = _ratio(row["time_to_target"], fastest[row["problem"]])
    optimizers = dict.fromkeys(row["optimizer"] for row in rows)
    scores = []
    for optimizer in optimizers:
        ratios = [_ratio(best.get((problem, optimizer), np.inf), fastest[problem]) for problem in problems]
        scores.append({"problem": "all", "optimizer": optimizer, "score": profile_score(np.array(ratios))})
    scores.sort(key=lambda row: -row["score"])
    names = ["problem", "optimizer", "batch_size", "steps_to_target", "step_seconds", "time_to_target", "ratio"]
    return [*names, "score"], scores + sort_within(rows, ("problem",), "time_to_target")


def _timed_rows(parts: Sequence[Part], timings: Iterable[Timing], view: Slice) -> list[dict[str, Any]]:
    """Join steps to target and step times of the timed cells whose problem has a target; a failed one has missed it."""
    step = step_seconds(timings)
    # A failed cell doesn't say what its target was, but its neighbours do.
    aimed = {part.footer["problem"] for part in parts if view.target is not None or part.footer.get("targets")}
    rows = []
    for row in convergence(parts, view)[1]:
        seconds = step.get(_cell(row))
        if row["problem"] in aimed and seconds is not None:
            named = {name: row[name] for name in ("problem", "optimizer", "batch_size")}
            steps = np.inf if row["steps_to_target"] is None else row["steps_to_target"]
            timed = {"steps_to_target": steps, "step_seconds": seconds, "time_to_target": steps * seconds}
            rows.append(named | timed)
    return rows


def step_seconds(timings: Iterable[Timing]) -> dict[tuple[Any, ...], float]:
    """Take the seconds of a step by (problem, optimizer, batch size); None where timing it failed."""
    return {_cell(timing): throughput([timing])[1][0]["step_seconds"] for timing in timings}


def _cell(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return (row["problem"], row["optimizer"], row["batch_size"])


def _ratio(time: float, fastest: float) -> float:
    return np.inf if np.isinf(time) else time / fastest
