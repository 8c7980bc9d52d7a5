"""How one names entries of a history: latest, latest~2, an id, a label, a commit, or a package's version."""

import difflib
import re
from collections.abc import Sequence

from optbench.errors import StoreError
from optbench.history.entries import Entry, History

#: A commit or an id may be cut short to so many digits.
FEWEST_DIGITS = 4


def find_entries(history: History, ref: str) -> list[Entry]:
    """Find the entries that a word names, newest last. Raises StoreError, with the nearest that there is."""
    entries = list(history.entries)
    back = re.fullmatch(r"latest(?:~(\d+))?", ref)
    if back and int(back[1] or 0) < len(entries):
        return [entries[-1 - int(back[1] or 0)]]
    package, _, version = ref.partition("==")
    matches = [entry for entry in entries if entry.versions.get(package) == version] if version else []
    matches = matches or [entry for entry in entries if entry.label == ref]
    if not matches and len(ref) >= FEWEST_DIGITS:
        matches = [entry for entry in entries if entry.id.startswith(ref) or (entry.commit or "").startswith(ref)]
    if matches:
        return matches
    raise StoreError(
        f"no entry {ref!r} in {history.place}{_nearest(ref, entries)}; accepted: latest, latest~N, an id, a label, a "
        f"commit, or PACKAGE==VERSION (see: optbench history list)"
    )


def _nearest(ref: str, entries: Sequence[Entry]) -> str:
    names = [name for entry in entries for name in (entry.label, entry.id, (entry.commit or "")[:10]) if name]
    names += [f"{package}=={version}" for entry in entries for package, version in entry.versions.items()]
    close = difflib.get_close_matches(ref, dict.fromkeys(names), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
