"""Make the problems of a planning when they are needed: thousands of them, with their data, would fill the memory."""

import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from optbench.planning.isolation import apart
from optbench.planning.registry import Known, make_problem
from optbench.planning.source_digest import file_digest
from optbench.problems.data_files import files_of
from optbench.problems.problem import Problem
from optbench.request import Cell

#: Problems that are kept: cells come problem by problem, one compiled ahead of the other.
KEPT = 4

Make = Callable[[Cell], Problem | Exception]


def maker(everything: Known) -> Make:
    """Return what makes a cell's problem, or returns the error that making it raised; the last few are kept.

    Where the data of a file have changed since its problem was first made, that is an error: the cell's key stands for
    what it held then.
    """
    recent: dict[str, Problem | Exception] = {}
    digests: dict[str, list[str]] = {}
    lock = Lock()

    def make(cell: Cell) -> Problem | Exception:
        # One thread trains a problem's cell while another compiles the next one: they are given the same object.
        with lock:
            if cell.problem in recent:
                recent[cell.problem] = recent.pop(cell.problem)
                return recent[cell.problem]
            made = _made(cell, everything)
            given = [file_digest(file) for file in given_files(cell)] if isinstance(made, Problem) else []
            if given and given != digests.setdefault(cell.problem, given):
                return ValueError(f"{cell.problem}: a file has changed since the run began; run it again")
            while len(recent) >= KEPT:
                del recent[next(iter(recent))]
            recent[cell.problem] = made
            return made

    return make


def _made(cell: Cell, everything: Known) -> Problem | Exception:
    try:
        with apart():
            return make_problem(cell.problem_name, everything.problems[cell.problem_name], cell.problem_parameters)
    except Exception as error:
        return error


def given_files(cell: Cell) -> list[Path]:
    """List the data files that a cell's parameters name, and those read beside them."""
    given = [Path(os.path.expanduser(value)) for value in cell.problem_parameters.values() if isinstance(value, str)]
    return [file for path in given for file in files_of(path)]
