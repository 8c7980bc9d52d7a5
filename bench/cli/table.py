"""`optbench table`."""

from typing import Annotated, Literal

from cyclopts import Parameter

from optbench import tables
from optbench.cli.options import Only, ResultsFolder, Text, View, Wide, alternatives
from optbench.cli.output import show
from optbench.present.formats import Format


def table(
    run: str = "latest",
    kind: Annotated[str, Parameter(help=f"{alternatives(tables.names())}.")] = "convergence",
    *,
    format: Format = "plain",
    by: Literal["steps", "examples", "gradients", "seconds"] | None = None,
    view: View = View(),  # noqa: B008 (frozen)
    only: Only = Only(),  # noqa: B008 (frozen)
    columns: str | None = None,
    wide: Wide = False,
    sort: Text = None,
    results: ResultsFolder = "results",
) -> None:
    """Print a table of a run.

    Parameters
    ----------
    run
        Name, path, or latest.
    format
        How to render it.
    by
        What work is counted in, by ert, ecdf, profile and ranks; where not given, gradients if optimizers differ in
        gradients a step, else steps.
    columns
        Comma list of columns to show.
    sort
        Column to sort by; -COLUMN for descending.
    """
    from optbench.cli.explain import with_hint
    from optbench.request import RequestError
    from optbench.results import load

    loaded = load(run, results)
    names = [name.strip() for name in columns.split(",")] if columns else None
    try:
        result = loaded.table(kind, **view.words(), by=by, **only.words(), columns=names, sort=sort)
    except ValueError as error:
        raise RequestError(str(error)) from error
    show(with_hint(result), format, wide)
