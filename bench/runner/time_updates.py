"""Time updates alone on parameter trees of chosen sizes and shapes, against the limits of the device."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from optbench.analyse.statistics import median, median_rank_interval
from optbench.errors import check_name
from optbench.optimizers import Optimizer, catalogue
from optbench.planning.isolation import apart
from optbench.planning.jobs import choose_compile_cache, pick_device, resolve_suite
from optbench.planning.registry import implementations
from optbench.present.table import Table
from optbench.request import Cell, RequestError, Suite, check_repeats, expand, one_line
from optbench.runner.program_spec import hyperparameters_of
from optbench.sweep import devices
from optbench.timing import updates
from optbench.timing.limits import Limit, limits
from optbench.timing.timer import CompiledLoop, Effort, Result, compile_loop, time_in_turns

COLUMNS = (
    "shape",
    "parameters",
    "leaves",
    "optimizer",
    "dtype",
    "update_seconds",
    "update_seconds_low",
    "update_seconds_high",
    "sgd_ratio",
    "state_bytes",
    "state_bytes_per_parameter",
    "bytes_read_written",
    "bytes_per_second",
    "percent_of_copy",
    "flops_per_update",
    "flops_per_second",
    "percent_of_product",
    "trace_seconds",
    "compile_seconds",
    "peak_bytes",
)


def update_throughput(
    suite: str | Suite | None = None,
    *,
    parameters: Sequence[int],
    shape: str = "transformer",
    device: str | None = None,
    compile_cache: bool = False,
    repeats: int = 20,
    min_seconds: float = 1.0,
    say: Callable[[str], None] = lambda text: None,
    **overrides: Any,
) -> Table:
    """Time the updates of a suite's optimizers on trees of so many parameters, and tabulate what they reach.

    Raises RequestError for what can't be asked: too few repeats, an unknown shape, a precision that updates don't run
    in, a tree that doesn't fit into memory.
    """
    check_repeats(repeats)
    try:
        check_name(shape, tuple(updates.SHAPES), "shape")
    except ValueError as error:
        raise RequestError(str(error)) from error
    asked = resolve_suite(suite, **overrides)
    if asked.dtype == "bfloat16":
        raise RequestError(
            "dtype 'bfloat16' is not accepted for updates alone, since mixed precision keeps parameters, gradients and "
            "state in float32; accepted: float32, float64"
        )
    chosen = pick_device(device)
    everything = implementations(asked)
    cells = {cell.optimizer: cell for cell in expand(asked, *everything.catalogue())}
    entries = {label: everything.optimizers[cell.optimizer_name] for label, cell in cells.items()}
    timed = {label: (entry, _settings(cells[label])) for label, entry in entries.items() if _runs_alone(entry)}
    choose_compile_cache(compile_cache)
    with apart(), devices.settings(asked.dtype, chosen):
        _check_memory(timed, parameters, shape, asked.dtype, chosen)
        rows: list[dict[str, Any]] = []
        notes: list[str] = []
        for num in parameters:
            tree = updates.SHAPES[shape](num)
            say(f"timing {len(timed)} updates of {num} parameters, {shape}")
            names = {"shape": shape, "parameters": num, "leaves": len(tree), "dtype": asked.dtype}
            made, failed = _time_tree(timed, tree, asked.dtype, chosen, Effort(repeats, min_seconds))
            rows += [names | row for row in made]
            notes += failed
    notes += _notes(asked.dtype, chosen, [label for label in entries if label not in timed])
    return Table(f"updates alone on {chosen.device_kind}", COLUMNS, tuple(rows), tuple(notes))


def _settings(cell: Cell) -> dict[str, Any]:
    middle = len(cell.points) // 2
    points = hyperparameters_of(cell)
    return {**cell.optimizer_static, **{name: float(values[middle]) for name, values in points.items()}}


def _runs_alone(optimizer: Optimizer) -> bool:
    return optimizer.needs <= updates.WITHOUT_PROBLEM


Entries = Mapping[str, tuple[Optimizer, Mapping[str, Any]]]
#: Others are compared with plain sgd, also where nobody asked for it.
_PLAIN = catalogue()["sgd"], {"learning_rate": 0.01}


def _check_memory(timed: Entries, parameters: Sequence[int], shape: str, dtype: str, device: devices.Device) -> None:
    """Raise RequestError where a tree doesn't fit, before anything is made."""
    limit = devices.memory_limit_bytes(device)
    for num in parameters:
        # Larger trees need as much more as they are larger, and have so many leaves that to count each takes seconds.
        looked_at = min(num, 10**8)
        tree = updates.SHAPES[shape](looked_at)
        plain = updates.needed_bytes(*_PLAIN, tree, dtype)
        beside = {label: plain + _needed(entry, tree, dtype) for label, entry in timed.items() if label != "sgd"}
        needed = {"sgd": plain} | beside
        label = max(needed, key=lambda label: needed[label])
        if needed[label] * num / looked_at > limit:
            gib, free = needed[label] * num / looked_at / 2**30, limit / 2**30
            named = "sgd" if label == "sgd" else f"{label} beside sgd"
            raise RequestError(
                f"parameters: {num:.3g} need {gib:,.1f} GiB with {named}, and {free:,.1f} GiB are free for it on "
                f"{device.device_kind}; accepted: up to about {looked_at * limit / needed[label]:.1g}"
            )


def _needed(entry: tuple[Optimizer, Mapping[str, Any]], tree: updates.Shapes, dtype: str) -> int:
    """Count the bytes that an optimizer needs; none where it can't be built, which its own row tells."""
    try:
        return updates.needed_bytes(*entry, tree, dtype)
    except (Exception, SystemExit):
        return 0


def _time_tree(
    timed: Entries, tree: updates.Shapes, dtype: str, device: devices.Device, effort: Effort
) -> tuple[list[dict[str, Any]], list[str]]:
    """Time one tree's updates in turns, beside plain sgd's: rows, cheapest first, and what failed."""
    moved: dict[str, tuple[int, int]] = {}

    def make(label: str, optimizer: Optimizer, settings: Mapping[str, Any]) -> CompiledLoop:
        loop, state_bytes, bytes_moved = updates.update_loop(optimizer, settings, tree, dtype)
        moved[label] = (state_bytes, bytes_moved)
        return compile_loop(loop, device)

    sgd = make("sgd", *_PLAIN)
    makers = [(lambda: sgd) if label == "sgd" else partial(make, label, *entry) for label, entry in timed.items()]
    results = dict(zip(timed, time_in_turns(makers, [sgd], effort, devices.memory_limit_bytes(device)), strict=True))
    ceilings, num = limits(dtype, device), updates.count(tree)
    rows = [
        {"optimizer": label} | _row(result, *moved[label], num, ceilings)
        for label, result in results.items()
        if isinstance(result, Result)
    ]
    failed = [f"{label}: {one_line(error)}" for label, error in results.items() if isinstance(error, BaseException)]
    rows += [{"optimizer": label} for label, error in results.items() if isinstance(error, BaseException)]
    return sorted(rows, key=lambda row: row.get("update_seconds", float("inf"))), failed


def _row(result: Result, state_bytes: int, moved: int, num: int, ceilings: tuple[Limit, Limit]) -> dict[str, Any]:
    timed, (copy, product) = result.loop, ceilings
    seconds, low, high = median_rank_interval(result.samples.step_seconds)
    return {
        "update_seconds": seconds,
        "update_seconds_low": low,
        "update_seconds_high": high,
        "sgd_ratio": seconds / median(result.baselines[0].step_seconds),
        "state_bytes": state_bytes,
        "state_bytes_per_parameter": state_bytes / num,
        "bytes_read_written": moved,
        "bytes_per_second": moved / seconds,
        "percent_of_copy": 100 * moved / seconds / copy.rate,
        "flops_per_update": timed.flops_per_step,
        "flops_per_second": timed.flops_per_step / seconds,
        "percent_of_product": 100 * timed.flops_per_step / seconds / product.rate,
        "trace_seconds": timed.trace_seconds,
        "compile_seconds": timed.compile_seconds,
        "peak_bytes": timed.peak_bytes,
    }


def _notes(dtype: str, device: devices.Device, left_out: Sequence[str]) -> list[str]:
    copy, product = limits(dtype, device)
    notes = [
        f"measured in the same run: a copy of {copy.size / 2**20:.0f} MiB at {copy.rate / 1e9:.3g} GB/s, a {dtype} "
        f"product of {product.size} rows at {product.rate / 1e9:.3g} GFLOP/s",
        "bytes_read_written: parameters, gradient and state read once, parameters and state written once; what fits "
        "into a cache may exceed 100 % of the copy",
    ]
    if left_out:
        notes.append(f"left out, since their updates evaluate the problem's loss: {', '.join(left_out)}")
    return notes
