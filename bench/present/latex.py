"""Tables for papers: booktabs, names in words, powers of ten, the best of each problem in bold."""

import re
from collections.abc import Sequence
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
    cells = [
        [_cell(text, number in bold.get(name, ())) for name, text in zip(folded.columns, texts, strict=True)]
        for number, texts in enumerate(folded.cells)
    ]
    sides = "".join(side[0] for side in align(folded.cells)) or "l" * len(folded.columns)
    head = " & ".join(_escaped(clean(name).replace("_", " ")) for name in folded.columns)
    lines = [*([BOLD_NOTE] if any(bold.values()) else []), rf"\begin{{tabular}}{{{sides}}}", r"\toprule"]
    body = [f"{' & '.join(row)} \\\\" for row in _ruled(folded, cells)]
    lines += [f"{head} \\\\", r"\midrule", *body, r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines).replace(r"\addlinespace \\", r"\addlinespace")


def _ruled(folded: Folded, cells: Sequence[list[str]]) -> list[list[str]]:
    """Return rows with a little space between groups."""
    groups = [[*members] for _, members in groupby(range(len(cells)), key=lambda number: _group(folded, number))]
    if len(groups) in (1, len(cells)):
        return [*cells]
    rows = [[cells[number] for number in members] for members in groups]
    return [row for members in rows for row in ([[r"\addlinespace"], *members] if members is not rows[0] else members)]


def _group(folded: Folded, number: int) -> tuple[object, ...]:
    return tuple(folded.records[number].get(name) for name in GROUPS)


def _bold(folded: Folded, name: str) -> set[int]:
    """Return the rows whose interval overlaps that of the best of their group; none of a group of one."""
    higher = name.endswith("accuracy")
    rows: set[int] = set()
    for _, group in groupby(range(len(folded.records)), key=lambda number: _group(folded, number)):
        members = [number for number in group if _ends(folded, number, name) is not None]
        if len(members) > 1:
            ends = {number: _ends(folded, number, name) or (0.0, 0.0) for number in members}
            values = {number: folded.records[number][name] for number in members}
            best = (max if higher else min)(members, key=lambda number: values[number])
            low, high = ends[best]
            rows |= {number for number in members if ends[number][0] <= high and ends[number][1] >= low}
    return rows


def _ends(folded: Folded, number: int, name: str) -> tuple[float, float] | None:
    low, high = (folded.records[number].get(f"{name}_{end}") for end in ("low", "high"))
    return None if low is None or high is None or low != low or high != high else (low, high)


def _cell(text: str, bold: bool) -> str:
    written = _POWER.sub(r"$\1 \\times 10^{\2}$", text) if _POWER.search(text) else None
    escaped = _escaped(text) if written is None else written
    return rf"\textbf{{{escaped}}}" if bold else escaped


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(mark, mark) for mark in text)
