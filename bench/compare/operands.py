"""What the words of a comparison name: optimizers of runs, whole runs, plug-ins that are still to run."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from optbench.errors import StoreError
from optbench.request import RequestError, Suite, nearest, parse_spec, parse_suite
from optbench.store.manifest import read_manifest
from optbench.store.run import StoredRun, load_stored
from optbench.store.runs import find_run, list_runs
from optbench.store.scan import scan
from optbench.store.status import Outcome

#: Runs what a plug-in needs: (suite, time single trials, folders that may hold finished cells of it) -> the run.
Runner = Callable[[Suite, bool, Sequence[Path]], StoredRun]


class Operand(NamedTuple):
    """What a word of the command names: an optimizer of a run, a whole run, or a plug-in that is still to run."""

    text: str
    run: StoredRun | None
    optimizer: str | None
    #: Of a plug-in the runs that name it, newest first.
    folders: tuple[Path, ...] = ()


def run_of(one: Operand) -> StoredRun:
    """Return an operand's run, once plug-ins have run."""
    assert one.run is not None
    return one.run


def find_operands(words: Sequence[str], results: Path) -> list[Operand]:
    """Find what words name. Raises RequestError with the nearest that there is.

    Names of optimizers are looked up in the newest run that has finished cells of them all, or of each: not in the
    latest alone, which where a plug-in was compared just now holds no baseline. A plug-in is always to run, since its
    code may have changed: finished cells of it are kept.
    """
    manifests = dict(_manifests(results))
    stored = {folder: _optimizers(manifest) for folder, manifest in manifests.items()}
    plugins = {word for word in words if _is_plugin(word, results)}
    named = {word for word in words if any(word in names for names in stored.values())}
    operands = []
    for word in words:
        if word in plugins:
            folders = tuple(folder for folder, names in stored.items() if word in names)
            operands.append(Operand(word, None, word, folders))
        elif word in named:
            home = _home(word, named - plugins, named, manifests)
            operands.append(Operand(word, load_stored(home), word))
        else:
            operands.append(_find_other(word, stored, results))
    return operands


def _is_plugin(word: str, results: Path) -> bool:
    """Say whether a word names a file, or a module that can be imported, and no run."""
    if re.fullmatch(r"[^:]*\.py:.+", word):
        return True
    top = word.partition(":")[0].partition(".")[0]
    if ":" not in word or not top.isidentifier() or _split(word, results)[0] is not None:
        return False
    return PathFinder.find_spec(top, [str(Path.cwd())]) is not None or find_spec(top) is not None


def _home(word: str, together: Set[str], named: Set[str], manifests: Mapping[Path, Mapping[str, Any]]) -> Path:
    """Choose the run that an optimizer is taken from: the newest with finished cells of it.

    Of those that name all that is compared, plug-ins too, where there is one; else of those with all optimizers
    `together`; else of all. Where no cell is finished anywhere, the newest that names it.
    """
    stored = {folder: set(_optimizers(manifest)) for folder, manifest in manifests.items()}
    for all_of, finished in ((named, together), (together, together), ({word}, {word})):
        for folder, names in stored.items():
            if all_of <= names and all(_has_finished(folder, manifests[folder], name) for name in finished):
                return folder
    return next(folder for folder, names in stored.items() if word in names)


def _has_finished(folder: Path, manifest: Mapping[str, Any], optimizer: str) -> bool:
    """Say whether any cell of an optimizer is finished: timings alone are none."""
    keys = [cell["key"] for cell in manifest["cells"] if cell["optimizer"] == optimizer]
    # By a few, since the first of them is finished as a rule.
    batches = (scan(folder, keys[first : first + 64]) for first in range(0, len(keys), 64))
    return any(part.outcome == Outcome.FINISHED for batch in batches for part in batch.values())


def _find_other(word: str, stored: Mapping[Path, list[str]], results: Path) -> Operand:
    """Find a whole run, or an optimizer of a run that is named. Raises RequestError."""
    folder, name = _split(word, results)
    if folder is not None:
        names = _optimizers(read_manifest(folder))
        if name is not None and name not in names:
            raise RequestError(f"run {folder.name!r} has no optimizer {name!r}{nearest(name, names)}")
        return Operand(word, load_stored(folder), name)
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
    """Run plug-ins on the problems, seeds and budget of the first operand that is stored.

    Where all are plug-ins, on those of the newest run that names one of them. Raises RequestError where none does.
    """
    base = next((operand for operand in operands if operand.run is not None), None) or _run_before(operands)
    runs = []
    for operand in operands:
        if operand.run is None:
            if base is None:
                raise RequestError(f"{operand.text} has nothing stored to be compared with; make it: optbench run")
            run = runner(plugin_suite(operand.text, base), timed, operand.folders)
            operand = operand._replace(run=run, optimizer=_optimizers(run.manifest)[0])
        runs.append(operand)
    return runs


def _run_before(operands: Sequence[Operand]) -> Operand | None:
    """Return a plug-in with the newest run that names all of them, or else it alone."""
    shared = [folder for folder in operands[0].folders if all(folder in operand.folders for operand in operands)]
    named = next((operand for operand in operands if operand.folders), None)
    return named and named._replace(run=load_stored([*shared, *named.folders][0]))


def plugin_suite(text: str, other: Operand) -> Suite:
    """Ask of a plug-in what was asked of another operand, in its place."""
    assert other.run is not None
    asked = {name: value for name, value in other.run.manifest["suite"].items() if value is not None}
    entries = {parse_spec(entry["spec"]).name: entry for entry in asked["optimizers"]}
    # As it was asked for in that run, if it was; else as what it is compared with.
    exact = next((entry for entry in asked["optimizers"] if entry["spec"] == text), None)
    own = exact or entries.get((other.optimizer or "").partition("[")[0], {})
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
