"""Tables for papers: booktabs, names in words, powers of ten, the best of each problem in bold."""

import re
from itertools import groupby

from optbench.present.numbers import clean
from optbench.present.plain import GROUPS, align
from optbench.present.table import Folded, Table, fold

_ESCAPES = {
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}
_POWER = re.compile(r"(?<![\w.])(-?[\d.]+)e(-?\d+)(?![\w.])")
BOLD_NOTE = "% bold: the best of each problem, and those whose interval overlaps its interval"


def format_latex(table: Table) -> str:
    """Return a table as a tabular of booktabs, in which intervals stand beside their numbers."""
    folded = fold(table)
    bold = {name: _bold(folded, name) for name in folded.columns if name in folded.intervals}
    rows = [
        [_cell(text, number in bold.get(name, ())) for name, text in zip(folded.columns, texts, strict=True)]
        for number, texts in enumerate(folded.cells)
    ]
    lines = [rf"{' & '.join(row)} \\" for row in rows]
    groups = _groups(folded)
    # A little space between problems, unless each has one row.
    space = "\\addlinespace\n" if 1 < len(groups) < len(rows) else ""
    sides = "".join(side[0] for side in align(folded.cells)) or "l" * len(folded.columns)
    head = " & ".join(_escaped(clean(name).replace("_", " ")) for name in folded.columns)
    return "\n".join(
        [
            *([BOLD_NOTE] if any(bold.values()) else []),
            rf"\begin{{tabular}}{{{sides}}}",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            *([f"\n{space}".join("\n".join(lines[number] for number in group) for group in groups)] if lines else []),
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def _groups(folded: Folded) -> list[list[int]]:
    """Return the numbers of the rows of each problem and batch size, which follow one another."""
    keys = [tuple(record.get(name) for name in GROUPS) for record in folded.records]
    return [[*group] for _, group in groupby(range(len(keys)), key=keys.__getitem__)]


def _bold(folded: Folded, name: str) -> set[int]:
    """Return the rows whose interval overlaps that of the best of their group; none of a group of one."""
    best_of = max if name.endswith("accuracy") else min
    rows: set[int] = set()
    for group in _groups(folded):
        ends = {number: pair for number in group if (pair := _ends(folded, number, name))}
        if len(ends) > 1:
            low, high = ends[best_of(ends, key=lambda number: folded.records[number][name])]
            rows |= {number for number, own in ends.items() if own[0] <= high and own[1] >= low}
    return rows


def _ends(folded: Folded, number: int, name: str) -> tuple[float, float] | None:
    low, high = (folded.records[number].get(f"{name}_{end}") for end in ("low", "high"))
    return None if low is None or high is None or low != low or high != high else (low, high)


def _cell(text: str, bold: bool) -> str:
    written = _POWER.sub(r"$\1 \\times 10^{\2}$", _escaped(text))
    return rf"\textbf{{{written}}}" if bold else written


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(mark, mark) for mark in text)
