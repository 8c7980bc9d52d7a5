"""`optbench report`."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def report(
    *runs: str,
    output: Annotated[Path, Parameter(alias="-o")] = Path("report.html"),
    results: Path = Path("results"),
) -> None:
    """Write one page of a run, or of several beside each other, that opens in any browser without a network.

    Parameters
    ----------
    runs
        Names or paths; the latest where not given.
    output
        The page's file.
    results
        Folder of all runs.
    """
    from bench.request import RequestError
    from bench.tables import load

    if any(find_spec(name) is None for name in ("altair", "vl_convert")):
        raise RequestError("report needs the extra report: pip install 'optbench[report]'")
    # Before any work: the page of a large run takes a while.
    _check_output(output)
    loaded = [load(run, results) for run in dict.fromkeys(runs or ("latest",))]

    from bench.report import report as write

    text = write(loaded, output)
    _write(output, text)
    print(f"{output}: {len(text.encode()) / 1e6:.2f} MB")


def _check_output(output: Path) -> None:
    from bench.store.run_folder import StoreError, check_writable

    if output.is_dir():
        raise StoreError(f"can't write {output}: Is a directory")
    check_writable(output.parent)


def _write(output: Path, text: str) -> None:
    """Write the page in one move."""
    from bench.store.run_folder import StoreError

    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, output)
    except OSError as error:
        raise StoreError(f"can't write {output}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
