"""Make the problems of a planning when they are needed: thousands of them, with their data, would fill the memory."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock

from optbench.planning.cell_key import file_digest, given_files
from optbench.planning.isolation import apart
from optbench.planning.registry import Implementations, make_problem
from optbench.problems.problem import Problem
from optbench.request import Cell

#: Problems that are kept: cells come problem by problem, one compiled ahead of the other.
KEPT = 4


class ExitedError(Exception):
    """A plug-in asked for the end of the process, as a script does whose data are missing: that ends its own cells."""


Make = Callable[[Cell], Problem | Exception]


def maker(everything: Implementations) -> Make:
    """Return what makes a cell's problem, or returns the error that making it raised; the last few are kept.

    Where the data of a file, given or named by a plug-in's code, have changed since its problem was first made, that is
    an error: the cell's key stands for what it held then.
    """
    recent: dict[str, Problem | Exception] = {}
    digests: dict[str, list[str]] = {}
    lock = Lock()

    @cache
    def named(problem: str) -> list[Path]:
        plugin = everything.plugins.get(problem)
        return sorted(plugin.data_files()) if plugin else []

    def make(cell: Cell) -> Problem | Exception:
        # One thread trains a problem's cell while another compiles the next one: they are given the same object.
        with lock:
            if cell.problem in recent:
                recent[cell.problem] = recent.pop(cell.problem)
                return recent[cell.problem]
            problem = _made(cell, everything)
            files = (*given_files(cell), *named(cell.problem_name)) if isinstance(problem, Problem) else ()
            contents = [file_digest(file) for file in files]
            if contents and contents != digests.setdefault(cell.problem, contents):
                return ValueError(f"{cell.problem}: a file has changed since the run began; run it again")
            while len(recent) >= KEPT:
                del recent[next(iter(recent))]
            recent[cell.problem] = problem
            return problem

    return make


def _made(cell: Cell, everything: Implementations) -> Problem | Exception:
    try:
        with apart():
            return make_problem(cell.problem_name, everything.problems[cell.problem_name], cell.problem_parameters)
    except Exception as error:
        return error
    except SystemExit as error:
        return ExitedError(f"it called sys.exit: {error.code}")
