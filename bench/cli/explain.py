"""`optbench explain`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, NoReturn

if TYPE_CHECKING:
    from optbench.glossary.entry import Entry
    from optbench.present.table import Table


def explain(*words: str, format: Literal["plain", "github"] = "plain") -> None:
    """Say what a word or a table's column means, with its unit and formula; without a word, list all of them.

    Parameters
    ----------
    words
        A word or a column, as in at_edge, gap or report seed; several in one go.
    format
        plain for a terminal, github for Markdown.
    """
    from optbench.glossary.pages import entry_markdown, entry_text, list_text, page

    if not words:
        print(list_text() if format == "plain" else page())
        return
    written = entry_text if format == "plain" else entry_markdown
    print("\n\n".join(written(entry) for entry in _entries(words)))


def with_hint(table: "Table") -> "Table":
    """Return a table whose last note says how to look a column up."""
    from optbench.glossary import HINT

    return replace(table, notes=(*table.notes, HINT))


def _entries(words: Sequence[str]) -> "list[Entry]":
    """Return the entries of a phrase, or else of each of its words. Raises RequestError for an unknown one."""
    from optbench.glossary import look_up

    phrase = " ".join(words)
    if look_up(phrase):
        return look_up(phrase)
    return list(dict.fromkeys(entry for word in words for entry in look_up(word) or _unknown(word)))


def _unknown(word: str) -> NoReturn:
    from optbench.errors import RequestError, quote
    from optbench.glossary import near

    closest = ", ".join(map(repr, near(word)))
    meant = f"; did you mean {closest}?" if closest else ";"
    raise RequestError(f"unknown word {quote(word)}{meant} optbench explain lists all words")
