"""Columns of words in a data file: a feature of zeros and ones for each word."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from optbench.problems.data_table import warn_once

#: Of more different words a column is refused.
_MOST_WORDS = 100
#: Words that stand in a warning.
_SHOWN = 4


def words_of(cells: Sequence[str]) -> list[str] | None:
    """Return the different words of a column in order; None of a column that holds anything else.

    Words begin with a letter, and recur: names that differ from row to row tell nothing.
    """
    if not all(cell[:1].isalpha() for cell in cells):
        return None
    words = sorted(set(cells))
    return words if len(words) <= min(_MOST_WORDS, len(cells) // 2) else None


def one_hot(path: Path, label: str, cells: Sequence[str], words: Sequence[str]) -> Float[np.ndarray, "row word"]:
    """Return a column as a feature for each word, and warn of it; `label` names the column."""
    shown = ", ".join(map(repr, words[:_SHOWN])) + (f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else "")
    warn_once(f"{path}: column {label} holds words: a feature of zeros and ones each for {shown}")
    return (np.array(cells)[:, None] == np.array(words)).astype(np.float64)
