"""The operands of a comparison: optimizers of runs, whole runs, and plug-ins that have yet to run."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from optbench.errors import StoreError
from optbench.request import RequestError, Suite, labelled, nearest, parse_spec, parse_suite
from optbench.store.manifest import read_manifest
from optbench.store.run import StoredRun, load_stored
from optbench.store.runs import find_run, list_runs
from optbench.store.scan import scan
from optbench.store.status import Outcome

#: Runs a plug-in: (suite, whether to time updates, folders that may hold finished cells of it) -> the run.
Runner = Callable[[Suite, bool, Sequence[Path]], StoredRun]


class Operand(NamedTuple):
    """An optimizer of a run, a whole run, or a plug-in that has yet to run, with the word that names it."""

    text: str
    run: StoredRun | None
    optimizer: str | None
    #: Of a plug-in, the runs that include it, newest first.
    folders: tuple[Path, ...] = ()


def run_of(operand: Operand) -> StoredRun:
    """Return an operand's run, once plug-ins have run."""
    assert operand.run is not None
    return operand.run


def find_operands(words: Sequence[str], results: Path) -> list[Operand]:
    """Return the operands that words name. Raises RequestError for an unknown name, with the nearest known one.

    Names of optimizers are looked up in the newest run that has finished cells of them all, or of each: the latest run
    may be the comparison of a plug-in, which holds no baseline. A plug-in always runs, since its code may have
    changed; a run with all its cells is taken as it is, and finished cells are reused.
    """
    manifests = dict(_manifests(results))
    stored = {folder: _optimizers(manifest) for folder, manifest in manifests.items()}
    words = [_plugin_behind(word, manifests.values()) for word in words]
    plugins = {word for word in words if _is_plugin(word, results)}
    optimizers = {word for word in words if any(word in names for names in stored.values())}
    operands = []
    for word in words:
        if word in plugins:
            shown = parse_spec(word).label or word
            folders = tuple(folder for folder, names in stored.items() if shown in names)
            operands.append(Operand(word, None, shown, folders))
        elif word in optimizers:
            folder = _home(word, optimizers - plugins, optimizers, manifests)
            operands.append(Operand(word, load_stored(folder), word))
        else:
            operands.append(_find_other(word, stored, results))
    return operands


def _plugin_behind(word: str, manifests: Iterable[Mapping[str, Any]]) -> str:
    """Return the plug-in that a word is a name of, as the newest run was asked for it; any other word as it is."""
    for manifest in manifests:
        named = labelled(word, [entry["spec"] for entry in manifest["suite"]["optimizers"]])
        if named is not None and word == named[1].label:
            # A function that was handed over from Python is known by its name alone.
            is_file = ":" in named[1].name and not named[1].name.startswith("python.")
            return named[0] if is_file else word
    return word


def _is_plugin(word: str, results: Path) -> bool:
    """Return whether a word names a file, or a module that can be imported, and no run."""
    word = _without_label(word)
    if re.fullmatch(r"[^:]*\.py:.+", word):
        return True
    top = word.partition(":")[0].partition(".")[0]
    if ":" not in word or not top.isidentifier() or _split(word, results)[0] is not None:
        return False
    return PathFinder.find_spec(top, [str(Path.cwd())]) is not None or find_spec(top) is not None


def _without_label(word: str) -> str:
    """Return a word without the name that it is to be shown as; as it is where it can't be read."""
    try:
        label = parse_spec(word).label
    except RequestError:
        return word
    return word.partition("=")[2].strip() if label else word


def _home(word: str, together: Set[str], optimizers: Set[str], manifests: Mapping[Path, Mapping[str, Any]]) -> Path:
    """Return the run that an optimizer is taken from: the newest with finished cells of it.

    Runs with all optimizers of the comparison come first, plug-ins included; then those with all optimizers of
    `together`; then all others. If no cell is finished in any, it is the newest run with the optimizer.
    """
    stored = {folder: set(_optimizers(manifest)) for folder, manifest in manifests.items()}
    for all_of, finished in ((optimizers, together), (together, together), ({word}, {word})):
        for folder, names in stored.items():
            if all_of <= names and all(_has_finished(folder, manifests[folder], name) for name in finished):
                return folder
    return next(folder for folder, names in stored.items() if word in names)


def _has_finished(folder: Path, manifest: Mapping[str, Any], optimizer: str) -> bool:
    """Return whether any cell of an optimizer is finished; timings don't count."""
    keys = [cell["key"] for cell in manifest["cells"] if cell["optimizer"] == optimizer]
    # In small batches, since the first cell is usually finished.
    batches = (scan(folder, keys[first : first + 64]) for first in range(0, len(keys), 64))
    return any(part.outcome == Outcome.FINISHED for batch in batches for part in batch.values())


def _find_other(word: str, stored: Mapping[Path, list[str]], results: Path) -> Operand:
    """Return the operand of RUN or RUN:OPTIMIZER. Raises RequestError for an unknown run or optimizer."""
    folder, name = _split(word, results)
    if folder is not None:
        names = _optimizers(read_manifest(folder))
        if name is not None and name not in names:
            raise RequestError(f"run {folder.name!r} has no optimizer {name!r}{nearest(name, names)}")
        return Operand(word, load_stored(folder), name)
    if not stored:
        raise RequestError(f"no run under {results} to find {word!r} in; make one: optbench run quick")
    candidates = [name for names in stored.values() for name in names] + [folder.name for folder in stored]
    raise RequestError(
        f"{word!r} is neither an optimizer of a run under {results} nor a run{nearest(word, candidates)}; "
        "or RUN:OPTIMIZER, or ./file.py:make"
    )


def _manifests(results: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the runs whose manifest can be read, newest first."""
    for folder in list_runs(results):
        with suppress(StoreError):
            yield folder, read_manifest(folder)


def _split(word: str, results: Path) -> tuple[Path | None, str | None]:
    """Return the folder and optimizer of RUN or RUN:OPTIMIZER; (None, None) if there is no such run."""
    for index in [len(word), *(match.start() for match in re.finditer(":", word))]:
        try:
            return find_run(results, word[:index]), word[index + 1 :] or None
        except StoreError:
            continue
    return None, None


def _optimizers(manifest: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(cell["optimizer"] for cell in manifest["cells"]))


def run_plugins(operands: Sequence[Operand], timed: bool, runner: Runner) -> list[Operand]:
    """Return the operands with their runs, after running plug-ins on the suite of the first stored operand.

    If all are plug-ins, the suite is that of the newest run that includes one. Raises RequestError if there is none.
    """
    base = next((operand for operand in operands if operand.run is not None), None) or _run_before(operands)
    runs = []
    for operand in operands:
        if operand.run is None:
            if base is None:
                raise RequestError(f"{operand.text} has nothing stored to be compared with; make it: optbench run")
            run = runner(plugin_suite(operand.text, base), timed, operand.folders)
            # It may be an earlier run, of others too.
            names = _optimizers(run.manifest)
            operand = operand._replace(run=run, optimizer=operand.optimizer if operand.optimizer in names else names[0])
        runs.append(operand)
    return runs


def _run_before(operands: Sequence[Operand]) -> Operand | None:
    """Return a plug-in with the newest run that includes all plug-ins, or else only it; None if none does."""
    shared = [folder for folder in operands[0].folders if all(folder in operand.folders for operand in operands)]
    plugin = next((operand for operand in operands if operand.folders), None)
    return plugin and plugin._replace(run=load_stored([*shared, *plugin.folders][0]))


def plugin_suite(text: str, other: Operand) -> Suite:
    """Return the suite of another operand's run, with the plug-in as its only optimizer, tuned as the other one was.

    Raises RequestError if `parse_suite` refuses it.
    """
    assert other.run is not None
    request = {name: value for name, value in other.run.manifest["suite"].items() if value is not None}
    if other.run.parts and max(part.record.studies for part in other.run.parts) == 1:
        # As of before there were studies, or where one was wanted.
        request |= {"studies": 1, "select_by": request.get("select_by") or ["train_loss"]}
    specs = {entry["spec"]: parse_spec(entry["spec"]) for entry in request["optimizers"]}
    entries = {specs[entry["spec"]].label or specs[entry["spec"]].name: entry for entry in request["optimizers"]}
    # With its own settings in that run, or else with those of the optimizer it is compared with.
    exact = next((entry for entry in request["optimizers"] if entry["spec"] == text), None)
    rival = (other.optimizer or "").partition("[")[0]
    own = exact or entries.get(rival, {})
    entry = {"spec": text} | {name: value for name, value in own.items() if name != "spec" and value is not None}
    # Another plug-in is tuned over what that run says.
    named = labelled(rival, specs)
    rival = named[1].name if named else rival
    entry |= {"like": rival} if rival and ":" not in rival else {}
    if "default" in entry.get("learning_rate", request.get("learning_rate", "")):
        entry |= _tuned_rates(other)
    name = re.sub(r"\W+", "-", Path(_without_label(text).partition(":")[0]).stem)
    problems = [{key: value for key, value in problem.items() if value is not None} for problem in request["problems"]]
    return parse_suite(request | {"name": f"{name}-on-{request['name']}", "problems": problems, "optimizers": [entry]})


def _tuned_rates(other: Operand) -> dict[str, str]:
    """Return as many values of a default range as `tune` made a grid of; nothing where a run is not tuned so."""
    run = run_of(other)
    search = run.manifest.get("tuned", {})
    if search.get("search") not in ("grid", "halving") or search.get("auto_extend"):
        return {}
    own = (part for part in run.parts if part.record.optimizer == other.optimizer and part.outcome == Outcome.FINISHED)
    text = next((part.results.space.get("learning_rate", "") for part in own), "")
    # "0.0001 to 0.3 in 8", or a few values.
    count = re.search(r" in (\d+)$", text)
    return {"learning_rate": f"default:{count[1] if count else text.count(',') + 1}"} if text else {}


def pairs(first: Operand, second: Operand) -> list[tuple[Operand, Operand]]:
    """Return the pairs of optimizers to compare: of two operands, or all optimizers that two runs share.

    Raises RequestError if the operands are the same cells, or have no optimizer in common.
    """
    mine, theirs = (
        [operand.optimizer] if operand.optimizer else _optimizers(run_of(operand).manifest)
        for operand in (first, second)
    )
    shared = [(name, name) for name in mine if name in theirs]
    if first.optimizer and second.optimizer:
        shared = [(first.optimizer, second.optimizer)]
    elif not shared and (first.optimizer or second.optimizer):
        shared = [(a, b) for a in mine for b in theirs]
    same = run_of(first).folder.resolve() == run_of(second).folder.resolve()
    operand_pairs = [
        (first._replace(optimizer=a), second._replace(optimizer=b)) for a, b in shared if not (same and a == b)
    ]
    if not operand_pairs:
        reason = "are the same cells" if same else "have no optimizer in common"
        raise RequestError(f"{first.text} and {second.text} {reason}")
    return operand_pairs
