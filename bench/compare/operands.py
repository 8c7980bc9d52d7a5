"""What the words of a comparison name: optimizers of runs, whole runs, plug-ins that are still to run."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from optbench.errors import StoreError
from optbench.request import RequestError, Suite, nearest, parse_spec, parse_suite
from optbench.store.manifest import read_manifest
from optbench.store.run import StoredRun, load_stored
from optbench.store.runs import find_run, list_runs

#: Runs what a plug-in needs: (suite, time single trials) -> the run.
Runner = Callable[[Suite, bool], StoredRun]


class Operand(NamedTuple):
    """What a word of the command names: an optimizer of a run, a whole run, or a plug-in that is still to run."""

    text: str
    run: StoredRun | None
    optimizer: str | None


def run_of(one: Operand) -> StoredRun:
    """Return an operand's run, once plug-ins have run."""
    assert one.run is not None
    return one.run


def find_operands(words: Sequence[str], results: Path) -> list[Operand]:
    """Find what words name. Raises RequestError with the nearest that there is.

    Names of optimizers are looked up in the newest run that has them all, or has each: not in the latest alone, which
    where a plug-in was compared just now holds no baseline.
    """
    stored = {folder: _optimizers(manifest) for folder, manifest in _manifests(results)}
    bare = {word for word in words if any(word in names for names in stored.values())}
    together = [folder for folder, names in stored.items() if bare <= set(names)]
    found = []
    for word in words:
        homes = [*together, *(folder for folder, names in stored.items() if word in names)]
        found.append(Operand(word, load_stored(homes[0]), word) if word in bare else _find_other(word, stored, results))
    return found


def _find_other(word: str, stored: Mapping[Path, list[str]], results: Path) -> Operand:
    """Find a plug-in, a whole run, or an optimizer of a run that is named."""
    if re.fullmatch(r"[^:]*\.py:.+", word):
        return Operand(word, None, word)
    folder, name = _split(word, results)
    if folder is not None:
        names = _optimizers(read_manifest(folder))
        if name is not None and name not in names:
            raise RequestError(f"run {folder.name!r} has no optimizer {name!r}{nearest(name, names)}")
        return Operand(word, load_stored(folder), name)
    if ":" in word and find_spec(word.partition(":")[0].partition(".")[0]):
        return Operand(word, None, word)
    if not stored:
        raise RequestError(f"no run under {results} to find {word!r} in; make one: optbench run quick")
    known = [name for names in stored.values() for name in names] + [folder.name for folder in stored]
    raise RequestError(
        f"{word!r} is neither an optimizer of a run under {results} nor a run{nearest(word, known)}; "
        "or RUN:OPTIMIZER, or ./file.py:make"
    )


def _manifests(results: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Read the manifests there are, newest first, but for those that can't be read."""
    for folder in list_runs(results):
        with suppress(StoreError):
            yield folder, read_manifest(folder)


def _split(word: str, results: Path) -> tuple[Path | None, str | None]:
    """Read RUN or RUN:OPTIMIZER, where there is such a run."""
    for place in [len(word), *(found.start() for found in re.finditer(":", word))]:
        try:
            return find_run(results, word[:place]), word[place + 1 :] or None
        except StoreError:
            continue
    return None, None


def _optimizers(manifest: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(cell["optimizer"] for cell in manifest["cells"]))


def run_plugins(operands: Sequence[Operand], timed: bool, runner: Runner) -> list[Operand]:
    """Run plug-ins on the problems, seeds and budget of the first operand that is stored."""
    stored = next((one for one in operands if one.run is not None), None)
    found = []
    for one in operands:
        if one.run is None:
            if stored is None:
                raise RequestError(f"{one.text} has nothing stored to be compared with; make it: optbench run")
            run = runner(plugin_suite(one.text, stored), timed)
            one = one._replace(run=run, optimizer=_optimizers(run.manifest)[0])
        found.append(one)
    return found


def plugin_suite(text: str, other: Operand) -> Suite:
    """Ask of a plug-in what was asked of another operand, in its place."""
    assert other.run is not None
    asked = {name: value for name, value in other.run.manifest["suite"].items() if value is not None}
    entries = {parse_spec(entry["spec"]).name: entry for entry in asked["optimizers"]}
    own = entries.get((other.optimizer or "").partition("[")[0], {})
    entry = {"spec": text} | {name: value for name, value in own.items() if name != "spec" and value is not None}
    name = re.sub(r"\W+", "-", Path(text.partition(":")[0]).stem)
    problems = [{key: value for key, value in one.items() if value is not None} for one in asked["problems"]]
    return parse_suite(asked | {"name": f"{name}-on-{asked['name']}", "problems": problems, "optimizers": [entry]})


def pairs(first: Operand, second: Operand) -> list[tuple[Operand, Operand]]:
    """Pair what two operands name: two optimizers, or all that whole runs share."""
    mine, theirs = ([one.optimizer] if one.optimizer else _optimizers(run_of(one).manifest) for one in (first, second))
    shared = [(name, name) for name in mine if name in theirs]
    if first.optimizer and second.optimizer:
        shared = [(first.optimizer, second.optimizer)]
    elif not shared and (first.optimizer or second.optimizer):
        shared = [(a, b) for a in mine for b in theirs]
    same = run_of(first).folder.resolve() == run_of(second).folder.resolve()
    found = [(first._replace(optimizer=a), second._replace(optimizer=b)) for a, b in shared if not (same and a == b)]
    if not found:
        what = "are the same cells" if same else "have no optimizer in common"
        raise RequestError(f"{first.text} and {second.text} {what}")
    return found
