"""Search strategies by name: from ranges and a budget to points. One strategy is one file here, and has its name."""

from importlib import import_module
from pathlib import Path

from optbench.search.strategy import Strategy

#: How a cell is trained whose points stand before: all of them, to the end.
PLAIN = Strategy("the points as they are")


def strategies() -> dict[str, Strategy]:
    """Map each strategy's name to what its file ends in: designs, then what stops early, then what proposes."""
    modules = {name: import_module(f"{__name__}.{name}") for name in _files()}
    entries = {name: module.STRATEGY for name, module in modules.items() if hasattr(module, "STRATEGY")}
    order = lambda name: (_order(entries[name]), name)  # noqa: E731
    return {name: entries[name] for name in sorted(entries, key=order)}


def strategy(name: str) -> Strategy:
    """Return the strategy of a name, `PLAIN` of "". Raises KeyError where there is none."""
    return strategies()[name] if name else PLAIN


def file_of(name: str) -> Path:
    """Locate a strategy's file. Raises KeyError where there is none."""
    return _files()[name]


def _files() -> dict[str, Path]:
    """Map the modules of this folder to their files."""
    return {path.stem: path for folder in __path__ for path in sorted(Path(folder).glob("[!_]*.py"))}


def _order(entry: Strategy) -> tuple[bool, bool, bool]:
    return entry.propose is not None, bool(entry.rungs), not entry.keeps_grid
