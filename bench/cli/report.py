"""`optbench report`."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from optbench.cli.progress import say

if TYPE_CHECKING:
    from optbench.history.entries import History


def report(
    *runs: str,
    output: Annotated[Path, Parameter(alias="-o")] = Path("report.html"),
    results: str = "results",
    history: str | None = None,
) -> None:
    """Write one page of a run, or of several beside each other, that opens in any browser without a network.

    Parameters
    ----------
    runs
        Names or paths; the latest where not given.
    output
        The page's file.
    results
        Folder of all runs, or a URL such as s3://bucket/results.
    history
        Folder or URL of their history, which the page then has a section of; results/history where there is one. Where
        there is no run, the page is of the history alone, as that of optbench history report.
    """
    from optbench.store.locations import locate, write_file
    from optbench.store.run import load_stored
    from optbench.store.runs import list_runs

    needs_extra()
    # Before any work: the page of a large run takes a while.
    check_output(output)
    if history is not None and not runs and not list_runs(locate(results)):
        from optbench.history.entries import read_history
        from optbench.report.report import report_history

        page = report_history(read_history(history)).encode()
    else:
        loaded = [load_stored(run, results) for run in dict.fromkeys(runs or ("latest",))]

        from optbench.report.report import report as make_page

        page = make_page(loaded, output, say, _history(history, results)).encode()
    write_file(output, page)
    print(f"{output}: {len(page) / 1e6:.2f} MB")


def _history(path: str | None, results: str) -> "History | None":
    """Read the history at the path given, else the usual one beside the runs if there is one."""
    from optbench.history.entries import read_history
    from optbench.store.locations import children, locate

    usual = locate(results) / "history"
    if path is None and not any(child.suffix == ".parquet" for child in children(usual)):
        return None
    return read_history(str(usual) if path is None else path)


def needs_extra() -> None:
    """Raise RequestError if the packages that draw pages aren't installed."""
    from optbench.errors import RequestError

    if any(find_spec(name) is None for name in ("altair", "vl_convert")):
        raise RequestError("report needs the extra report: pip install 'optbench[report]'")


def check_output(output: Path) -> None:
    """Raise StoreError if a page's file can't be written."""
    from optbench.errors import StoreError
    from optbench.store.runs import check_writable

    if output.expanduser().is_dir():
        raise StoreError(f"can't write {output}: Is a directory")
    check_writable(output.parent)
