"""Throughput: the seconds, memory and arithmetic of a step of each timed cell."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from optbench.analyse.outcomes import Slice
from optbench.analyse.statistics import median
from optbench.analyse.step_times import LIMITS, limit_shares, sort_within, step_interval
from optbench.store.run import StoredRun
from optbench.store.timings import StepTimes, Timing
from optbench.tables.table_kind import Rows, TableKind

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
#: Rows of the rarer limit that a note names; further ones are only counted.
MOST_NAMED = 6


def throughput(timings: Iterable[Timing]) -> tuple[list[str], list[dict[str, Any]]]:
    """Return a row for each timed cell: (columns, rows), by problem and batch size, cheapest step first."""
    rows = [_row(timing) for timing in timings]
    return [*COLUMNS], sort_within(rows, ("problem", "batch_size"), "step_seconds")


def _row(timing: Timing) -> dict[str, Any]:
    names: dict[str, Any] = {name: getattr(timing, name) for name in COLUMNS[:4]}
    times = timing.times
    if times is None:
        return dict.fromkeys(COLUMNS) | names
    step, low, high = step_interval(times)
    return names | {
        "step_seconds": step,
        "step_seconds_low": low,
        "step_seconds_high": high,
        "examples_per_second": times.examples_per_step / step,
        "sgd_ratio": step / median(np.array(times.sgd_seconds)),
        "update_share": 1 - median(np.array(times.gradient_seconds)) / step,
        "trace_seconds": times.trace_seconds,
        "compile_seconds": times.compile_seconds,
        "first_step_seconds": times.first_step_seconds,
        "state_bytes": times.state_bytes,
        "state_bytes_per_parameter": times.state_bytes / times.num_parameters,
        "peak_bytes": times.peak_bytes,
        "flops_per_step": times.flops_per_step,
        "flops_per_second": times.flops_per_step / step,
        "percent_of_limit": 100 * max(limit_shares(times).values()),
    }


def timing_notes(timings: Sequence[Timing]) -> list[str]:
    """Return how the rows were measured, and which timings failed."""
    failed = [timing for timing in timings if timing.times is None]
    finished = [(timing, timing.times) for timing in timings if timing.times is not None]
    lines = [f"{timing.problem} / {timing.optimizer}: {timing.message}" for timing in failed]
    if not finished:
        return lines
    repeats = sorted({len(times.step_seconds) for _, times in finished})
    lines += [
        f"each row times one training alone, many steps a call: medians of {' or '.join(map(str, repeats))} calls with "
        f"exact 95 % intervals, the optimizers of a problem in turns; on {_machines(finished)}",
        "sgd_ratio: step time over that of plain SGD; update_share: share of the step beyond one loss and gradient; "
        "flops: counted from the program as written",
    ]
    restarted = [
        f"{timing.optimizer} on {timing.problem} ({times.restart_steps})"
        for timing, times in finished
        if times.restart_steps is not None
    ]
    if restarted:
        lines.append(
            "timed over the steps up to the target, again and again, because later steps compute other numbers of "
            f"gradients: {', '.join(restarted)}"
        )
    if any(times.compile_seconds is None for _, times in finished):
        lines.append("compile_seconds -: the program was in the compilation cache")
    return lines + _limit_notes(finished)


def _machines(finished: Sequence[tuple[Timing, StepTimes]]) -> str:
    """Return the machine, or the problems by machine, since seconds of two machines are not comparable."""
    timed: dict[str, dict[str, None]] = {}
    for timing, _ in finished:
        machine = f"{timing.device['device']}, {timing.device['cpu']}"
        timed.setdefault(machine, {})[timing.problem] = None
    if len(timed) == 1:
        return next(iter(timed))
    return "; ".join(f"{machine}: {', '.join(problems)}" for machine, problems in timed.items())


def _limit_notes(finished: Sequence[tuple[Timing, StepTimes]]) -> list[str]:
    """Return the limits of each dtype, and which of the two each row comes nearer to."""
    notes = []
    for dtype in dict.fromkeys(timing.dtype for timing, _ in finished):
        of_dtype = [(timing, times) for timing, times in finished if timing.dtype == dtype]
        limits = of_dtype[0][1]
        product, copy = limits.product_flops_per_second / 1e9, limits.copy_bytes_per_second / 1e9
        notes.append(
            f"percent_of_limit: share of this machine's nearer limit, {dtype} matrix product at {product:.3g} GFLOP/s "
            f"or memory copy at {copy:.3g} GB/s; {_nearest(of_dtype)}"
        )
    return notes


def _nearest(finished: Sequence[tuple[Timing, StepTimes]]) -> str:
    """Return a phrase that names the rows nearer to the rarer limit: whole problems or batch sizes if all rows are."""
    nearest = {}
    for timing, times in finished:
        cell = (timing.problem, timing.batch_size, timing.optimizer)
        nearest[cell] = max((share, limit) for limit, share in limit_shares(times).items())[1]
    rare, common = sorted(sorted(LIMITS), key=list(nearest.values()).count)
    if rare not in nearest.values():
        return f"that is the {common} in every row"
    rare_names: dict[tuple[Any, ...], None] = {}
    for cell, limit in nearest.items():
        prefixes = [cell[:length] for length in (1, 2, 3)]
        # The shortest name that fits no row of the other limit.
        alone = [prefix for prefix in prefixes if {nearest[other] for other in _under(prefix, nearest)} == {rare}]
        rare_names |= dict.fromkeys(alone[:1] if limit == rare else [])
    if len(rare_names) > MOST_NAMED:
        count = sum(limit == rare for limit in nearest.values())
        return f"that is the {rare} in {count} of {len(nearest)} rows, the {common} in the others"
    names = ", ".join(" / ".join(map(str, name)) for name in rare_names)
    return f"that is the {rare} for {names}, the {common} for all others"


def _under(prefix: tuple[Any, ...], cells: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [cell for cell in cells if cell[: len(prefix)] == prefix]


def make(run: StoredRun, view: Slice) -> Rows:
    """Return a row for each timed cell of a run: (columns, rows)."""
    return throughput(run.timings)


def notes(run: StoredRun, rows: Iterable[Mapping[str, Any]], view: Slice) -> list[str]:
    """Return how the rows were measured, which timings failed, and the number of cells that are not timed."""
    num_untimed = len(run.manifest["cells"]) - len(run.timings)
    untimed = (
        [f"{num_untimed} of {len(run.manifest['cells'])} cells are not timed (optbench throughput)"]
        if num_untimed
        else []
    )
    return timing_notes(run.timings) + untimed


def no_cell_notes(run: StoredRun) -> list[str]:
    """Return no note, since `timing_notes` has those of failed timings, and unfinished cells can be timed too."""
    return []


#: What matters first, where not all fits.
IMPORTANT = (
    *("problem", "optimizer", "batch_size", "step_seconds", "sgd_ratio", "update_share", "state_bytes_per_parameter"),
    *("compile_seconds", "examples_per_second", "peak_bytes", "percent_of_limit"),
)

TABLE = TableKind(
    "what a step costs",
    make,
    notes,
    shared_notes=no_cell_notes,
    section="What a step costs",
    open_in_report=True,
    important=IMPORTANT,
    of_curves=False,
)
