"""Ratios to the engine, printed at the end of a session."""

import os
from importlib.metadata import PackageNotFoundError, version

import pytest
from tabulate import tabulate

from optbench.sweep.devices import describe
from tests.benchmarks.cell import DEVICE

Medians = dict[tuple[str, str], float]
#: (way, "cold" or "warm") -> seconds.
MEDIANS = pytest.StashKey[Medians]()
LOAD = pytest.StashKey[float]()


@pytest.fixture
def keep(request, benchmark):
    """Keep the median of a way for the table: keep(way, "cold")."""
    medians = request.config.stash.setdefault(MEDIANS, {})

    def keep(way: str, *phases: str) -> None:
        # None where a session only checks that all ways agree: --benchmark-disable.
        if benchmark.stats is not None:
            medians.update({(way, phase): benchmark.stats["median"] for phase in phases})

    return keep


def pytest_configure(config):
    config.stash[LOAD] = os.getloadavg()[0]


def pytest_benchmark_update_machine_info(machine_info):
    machine_info["optbench"] = describe(DEVICE) | versions()


def pytest_terminal_summary(terminalreporter, config):
    if medians := config.stash.get(MEDIANS, {}):
        said = describe(DEVICE)
        device = f"{said['cpu_count']} x {said['cpu']}" if said["platform"] == "cpu" else said["device"]
        on = [device, *map(" ".join, versions().items()), f"load before {config.stash[LOAD]:.1f}"]
        terminalreporter.write_line(f"\nMedian seconds, and ratios to the engine; {', '.join(on)}")
        terminalreporter.write_line(format_ratios(medians))


def versions() -> dict[str, str]:
    found = {}
    for name in ("jax", "optax", "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def format_ratios(medians: Medians) -> str:
    def cells(way: str, phase: str) -> list[float | None]:
        seconds, engine = medians.get((way, phase)), medians.get(("engine", phase))
        return [seconds, seconds / engine if seconds and engine else None]

    rows = [[way, *cells(way, "cold"), *cells(way, "warm")] for way in dict.fromkeys(way for way, _ in medians)]
    return tabulate(rows, ["way", "cold", "ratio", "warm", "ratio"], floatfmt=("", ".2f", ".1f", ".2f", ".1f"))
