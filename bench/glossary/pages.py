"""The glossary as text: one entry, the list of all words, and the page of the documentation."""

import textwrap
from collections.abc import Sequence

from optbench.glossary import SUBJECTS
from optbench.glossary.entry import Entry

WIDTH = 80


def entry_text(entry: Entry) -> str:
    """Return an entry for a terminal."""
    where = f" (in {', '.join(entry.tables)})" if entry.tables else ""
    lines = [f"{entry.word}{where}", *_wrapped(entry.meaning, "  ")]
    facts = {name: text for name, text in _facts(entry).items() if text}
    for name, text in facts.items():
        lines += _wrapped(text, f"  {name + ':':<12}", " " * 14)
    return "\n".join(lines)


def _facts(entry: Entry) -> dict[str, str]:
    """Return what stands below the meaning, name -> text."""
    also = ", ".join(entry.also)
    return {"unit": entry.unit, "computed": entry.formula, "also": also, "see": ", ".join(entry.see)}


def _wrapped(text: str, first: str, following: str | None = None) -> list[str]:
    following = first if following is None else following
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=following, break_long_words=False, break_on_hyphens=False
    )


def list_text() -> str:
    """Return all words by subject for a terminal."""
    blocks = []
    for subject, entries in SUBJECTS.items():
        words = list(dict.fromkeys(entry.word for entry in entries))
        blocks.append("\n".join([subject, *_wrapped(", ".join(words), "  ")]))
    return "\n\n".join([*blocks, "optbench explain WORD says what one of them means."])


def page() -> str:
    """Return the page of the documentation, in Markdown."""
    head = (
        "# Glossary\n\nEvery word and every column that optbench prints. `optbench explain WORD` prints the same text. "
        "Columns that end in `_low` and `_high` are the interval of the column before them; hyperparameters, and "
        "metrics that a problem has of its own, have columns of their own names.\n\nThis page is written by "
        "`optbench explain --format github > docs/glossary.md`: edit `bench/glossary/`."
    )
    return "\n\n".join([head, *(_section(subject, entries) for subject, entries in SUBJECTS.items())])


def _section(subject: str, entries: Sequence[Entry]) -> str:
    return "\n\n".join([f"## {subject}", *map(entry_markdown, entries)])


def entry_markdown(entry: Entry) -> str:
    """Return an entry as a paragraph of Markdown."""
    where = f" (in {', '.join(entry.tables)})" if entry.tables else ""
    facts = {name: text for name, text in _facts(entry).items() if text}
    tail = "".join(f" *{name.capitalize()}: {_escaped(text)}.*" for name, text in facts.items())
    return f"**`{entry.word}`**{where}: {_escaped(entry.meaning)}{tail}"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_").replace("<", "&lt;")
