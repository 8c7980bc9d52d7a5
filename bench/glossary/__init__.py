"""Every word that optbench prints, explained: for `optbench explain`, docs/glossary.md and the notes of tables.

Each file holds the entries of one subject. It imports nothing of optbench, so that any folder may import it.
"""

import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase

from optbench.glossary import costs, experiments, history, lists, outcomes, targets, tuning, verdicts
from optbench.glossary.entry import Entry

#: The last line below tables.
HINT = "optbench explain COLUMN says what a column means and how it is computed"
#: Subject -> its entries, in the order that they are listed.
SUBJECTS: dict[str, tuple[Entry, ...]] = {
    "What is trained": experiments.ENTRIES,
    "How a training ends": outcomes.ENTRIES,
    "Reaching a target, ranks": targets.ENTRIES,
    "Comparing": verdicts.ENTRIES,
    "Tuning, batch sizes": tuning.ENTRIES,
    "Time, memory, plan": costs.ENTRIES,
    "History": history.ENTRIES,
    "Lists": lists.ENTRIES,
}


def all_entries() -> list[Entry]:
    """Return the entries of all subjects."""
    return [entry for entries in SUBJECTS.values() for entry in entries]


def look_up(word: str, table: str = "") -> list[Entry]:
    """Return the entries of a word, one for each meaning; with a table, those that a column of it has there.

    A word may be written with blanks or hyphens, in the plural, or as a column that ends in _low or _high. No entry if
    it is unknown.
    """
    name = _normal(word)
    spellings = [name, *(name.removesuffix(end) for end in ("_low", "_high", "s") if name.endswith(end))]
    tests = (_is_word, _is_alias, _fits_pattern)
    places = [(spelling, fits) for fits in tests for spelling in spellings if len(spelling) > 1]
    entries = [
        entry
        for spelling, fits in places
        for entry in all_entries()
        if fits(entry, spelling) and (not table or not entry.tables or table in entry.tables)
    ]
    certain = [entry for entry in entries if not _fits_pattern(entry, name)]
    return list(dict.fromkeys(certain or entries))


def near(word: str, count: int = 3) -> list[str]:
    """Return the words that are most like an unknown one: those spelled alike, then those that contain it."""
    name, words = _normal(word)[:80], list(dict.fromkeys(_spellings(all_entries())))
    alike = difflib.get_close_matches(name, words, n=count)
    holding = [each for each in words if len(name) > 2 and name in each]
    return list(dict.fromkeys([*alike, *holding]))[:count]


def _spellings(entries: Iterable[Entry]) -> Iterable[str]:
    for entry in entries:
        yield from (entry.word, *(_normal(name) for name in entry.also if "*" not in name))


def _normal(word: str) -> str:
    return "_".join(word.lower().replace("-", " ").replace("_", " ").split())


def _is_word(entry: Entry, name: str) -> bool:
    return entry.word.lower() == name


def _is_alias(entry: Entry, name: str) -> bool:
    return name in map(_normal, entry.also)


def _fits_pattern(entry: Entry, name: str) -> bool:
    return any("*" in other and fnmatchcase(name, other) for other in entry.also)
