"""`optbench history show` and `plot`: series over time, and where their level changed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from optbench.cli.history import PLACE, Many, check_least
from optbench.cli.options import Count, Text
from optbench.cli.output import text
from optbench.present.formats import Format


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Series:
    """Which series to look at."""

    problem: Annotated[Many, Parameter(alias="-p")] = None
    """Look at this problem alone: its label, its family, or a pattern; repeat for several."""
    measure: Many = None
    """gap, train_loss, test_error, step_seconds, sgd_ratio, ... (optbench explain measure has all); patterns work."""
    machine: Many = None
    """Look at this machine alone: the beginning of its fingerprint, as `optbench history list` has it."""
    last: Count = None
    """Look at so many entries, the newest."""
    history: str = PLACE
    """Folder of the history, or a URL."""

    def chosen(self, optimizer: Many) -> dict[str, list[str]]:
        """Return the patterns of each column. Raises RequestError for a number of entries below 1."""
        check_least("last", self.last, 1)
        machines = [f"{name}*" for name in self.machine or ()]
        patterns = {"problem": self.problem or [], "optimizer": optimizer or [], "measure": self.measure or []}
        return {**patterns, "machine": machines}


def show(
    *,
    optimizer: Annotated[Many, Parameter(alias="-o")] = None,
    which: Series = Series(),
    format: Format = "plain",
) -> None:
    """Show series over time, and where their level changed; of one series alone, its values too.

    Parameters
    ----------
    optimizer
        Look at this optimizer alone; repeat for several.
    which
        Series.
    format
        How to render the tables.
    """
    from optbench.cli.explain import with_hint
    from optbench.history import tables
    from optbench.history.entries import read_history

    *others, last = tables.show(read_history(which.history), which.chosen(optimizer), which.last)
    print("\n\n".join(text(table, format) for table in (*others, with_hint(last))))


def plot(
    *,
    output: Path | None = None,
    optimizer: Annotated[Many, Parameter(alias="-o")] = None,
    which: Series = Series(),
    log: bool | None = None,
    width: Text = "170mm",
) -> None:
    """Draw series over time as SVG or PNG, and print the caption.

    Of gap, train_loss and step_seconds, where no measure is named.

    Parameters
    ----------
    output
        File to write: figure.svg, figure.pdf or figure.png (300 dots per inch).
    optimizer
        Look at this optimizer alone; repeat for several.
    which
        Series.
    log
        A logarithmic axis of values; where it matters, if not given.
    width
        Width of the figure, in mm, cm, in, pt or px.
    """
    from optbench.cli.plot import figure_file, points
    from optbench.figures.figure import Options
    from optbench.history import figure
    from optbench.history.entries import read_history
    from optbench.request import RequestError

    output = figure_file(output, optimizer)
    chosen = which.chosen(optimizer)
    chosen["measure"] = chosen["measure"] or [*figure.MEASURES]
    options = Options(log=log, width=points(width))
    try:
        print(figure.plot(read_history(which.history), chosen, which.last, output, options))
    except ValueError as error:
        raise RequestError(str(error)) from error


def report(*, output: Path = Path("history.html"), history: str = PLACE) -> None:
    """Write one page of a history, without a run: the series of each suite, and where their level changed.

    Parameters
    ----------
    output
        The page's file.
    history
        Folder of the history, or a URL.
    """
    from optbench.cli.report import check_output, needs_extra
    from optbench.history.entries import read_history
    from optbench.report.report import report_history
    from optbench.store.locations import write_file

    needs_extra()
    check_output(output)
    page = report_history(read_history(history)).encode()
    write_file(output, page)
    print(f"{output}: {len(page) / 1e6:.2f} MB")
