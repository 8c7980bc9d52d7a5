"""The fields of an entry."""

from typing import NamedTuple


class Entry(NamedTuple):
    """A word that optbench prints, and what it means."""

    word: str
    #: One or two plain sentences.
    meaning: str
    unit: str = ""
    #: How a number is computed.
    formula: str = ""
    #: Words that help to understand it.
    see: tuple[str, ...] = ()
    #: Other ways to write it; with * for families of columns, such as best_of_*.
    also: tuple[str, ...] = ()
    #: Where a column means that, if it means something else in other tables; nothing for everywhere.
    tables: tuple[str, ...] = ()
