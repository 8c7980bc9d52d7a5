"""`optbench history export`, `import` and `backfill`: a history and the world around it."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from optbench.cli.output import show
from optbench.cli.progress import say


def export(
    entry: str = "latest",
    *,
    format: str,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    history: str = "results/history",
) -> None:
    """Write an entry of a history in a format that other tools read.

    Parameters
    ----------
    entry
        latest, latest~2, an id, a label, a commit or PACKAGE==VERSION.
    format
        pytest-benchmark, github-action-benchmark (with the tool customSmallerIsBetter) or bencher.
    output
        File to write; printed where not given.
    history
        Folder or URL of the history.
    """
    from optbench.history import exports
    from optbench.history.entries import read_history
    from optbench.history.refs import find_entries
    from optbench.store.locations import write_file

    entries = read_history(history)
    text, notes = exports.export(entries, find_entries(entries, entry)[-1], format)
    for note in notes:
        say(note)
    if output is None:
        sys.stdout.write(text)
    else:
        write_file(output, text.encode())
        say(f"wrote {output}")


def import_(
    *files: Path,
    label: str | None = None,
    history: str = "results/history",
) -> None:
    """Add what pytest-benchmark measured, of any project, to a history.

    Parameters
    ----------
    files
        JSON files of pytest-benchmark, as --benchmark-json writes them.
    label
        Label of the entries.
    history
        Folder or URL of the history.
    """
    from optbench.history.entries import write_entry
    from optbench.history.imports import read_benchmarks
    from optbench.request import RequestError

    if not files:
        raise RequestError("import needs a file: one of pytest-benchmark, as --benchmark-json FILE writes it")
    # All are read before any is added.
    benchmarks = [(path, *read_benchmarks(path)) for path in files]
    for path, about, rows in benchmarks:
        entry, new = write_entry(history, about | {"label": label}, rows)
        print(f"{path}: {len(rows)} rows, {'added as' if new else 'already there as'} {entry}")


def backfill(
    suite: str = "quick",
    *words: Annotated[str, Parameter(allow_leading_hyphen=True)],
    package: str,
    versions: str,
    label: str | None = None,
    history: str = "results/history",
    results: str = "results",
) -> int:
    """Run a suite under each of several versions of a package, and add each run to a history.

    Each version is installed in an environment of its own, in which all else is as here. One that can't be installed,
    or whose run fails, is added as failed. The same command goes on from where it was.

    Parameters
    ----------
    suite
        Packaged suite (optbench list suites) or TOML file.
    words
        After the suite: further words of optbench run, as in --no-throughput.
    package
        Package, as in optax or jax.
    versions
        Comma list of its versions, as in 0.2.7,0.2.8.
    label
        Label of the entries; PACKAGE==VERSION where not given.
    history
        Folder or URL of the history.
    results
        Folder of all runs, or a URL; those of the versions are called backfill-PACKAGE-VERSION.
    """
    from optbench.history import backfill as backfilling
    from optbench.present.table import Table

    numbers = list(dict.fromkeys(number.strip() for number in versions.split(",")))
    # As the versions of a run are called.
    package = package.lower().replace("_", "-")
    backfilling.check(package, numbers)
    _check_words(suite, words)
    request = backfilling.Request(package, suite, results, history, words, label)
    outcomes = backfilling.backfill(request, numbers, say)
    rows = tuple((result.version, result.outcome, result.message, round(result.seconds)) for result in outcomes)
    show(Table(f"{package} in {history}", ("version", "outcome", "message", "seconds"), rows))
    return 1 if any(result.outcome == "failed" for result in outcomes) else 0


def _check_words(suite: str, words: tuple[str, ...]) -> None:
    """Raise RequestError, once, for what a run under every version would refuse."""
    from optbench.cli.app import app
    from optbench.cli.options import Options
    from optbench.planning.jobs import resolve_suite
    from optbench.planning.registry import implementations
    from optbench.request import RequestError, expand

    _, bound, _ = app.parse_args(["run", suite, *words], exit_on_error=False, print_error=False)
    options = bound.arguments.get("options", Options())
    if options.name is not None or options.results != Options().results:
        raise RequestError("words: --name and --results are not accepted: backfill names its runs itself")
    resolved = resolve_suite(suite, **options.overrides())
    expand(resolved, *implementations(resolved).catalogue())
