"""`optbench compare`."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from optbench.cli.options import Count, ResultsFolder, Text, View, Wide
from optbench.cli.output import show_text, text
from optbench.cli.output import width as line_width
from optbench.cli.plot import points
from optbench.present.formats import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from optbench.compare.compare import ComparisonTables
    from optbench.request import Suite
    from optbench.store.run import StoredRun


def compare(
    *optimizers: str,
    metric: Text = None,
    view: View = View(),  # noqa: B008 (frozen)
    budget: Count = None,
    margin: Annotated[float, Parameter(allow_leading_hyphen=True)] = 0.05,
    anyway: Annotated[bool, Parameter(negative=())] = False,
    fail_if_worse: Annotated[bool, Parameter(negative=())] = False,
    columns: str | None = None,
    wide: Wide = False,
    format: Format = "plain",
    json: Annotated[bool, Parameter(negative=())] = False,
    output: Path | None = None,
    width: Text = "85mm",
    results: ResultsFolder = "results",
) -> int:
    """Say whether the first optimizer is better than each of the others, on which problems, and how sure that is.

    Parameters
    ----------
    optimizers
        Two or more: an optimizer of the latest run that has it, RUN:OPTIMIZER, a whole RUN (all it shares with the
        other), or ./file.py:make, which is run first on the other's problems, seeds and budget.
    metric
        train_loss, gap, validation_loss, validation_accuracy, test_loss, test_accuracy, steps_to_target,
        gradients_to_target or time_to_target; where not given, the gap to the optimum where that is known,
        test_loss where settings were chosen on validation rows, else train_loss.
    budget
        Compare what so many random configurations of each give, in place of the best of all that were tried.
    margin
        Share of the reference up to which a difference counts as none.
    anyway
        Compare what has different budgets, precisions or machines, and say what differs.
    fail_if_worse
        Exit with 1 where the first is worse on any problem.
    columns
        Comma list of columns of the first table to show.
    format
        How to render the tables.
    json
        Short for --format json.
    output
        Also draw a forest plot into this file (.svg, .pdf or .png): a row for each problem, the ratio to the reference
        with its interval, and a mark for the verdict.
    width
        Width of that figure, in mm, cm, in, pt or px; a paper's column is about 85mm.
    """
    from optbench.analyse.comparison import Rules
    from optbench.analyse.outcomes import Slice
    from optbench.compare.compare import compare_optimizers
    from optbench.errors import refused

    if not margin >= 0:
        raise refused("margin", margin, ">= 0")
    size = points(width)
    rules = Rules(metric, Slice(**view.words()), budget, margin)
    compared = compare_optimizers(optimizers, rules, results=results, runner=partial(_run, results), anyway=anyway)
    show_text(_shown(compared, "json" if json else format, columns, wide))
    if output is not None:
        # Beside the tables, so that what reads these reads nothing else.
        print(_draw(compared, margin, output, size), file=sys.stdout if _is_text(json, format) else sys.stderr)
    return 1 if fail_if_worse and compared.worse else 0


def _run(results: str, suite: "Suite", timed: bool, folders: "Sequence[Path]") -> "StoredRun":
    from optbench.cli.progress import Reporter
    from optbench.runner.run import run

    with Reporter() as reporter:
        hear = {"on_plan": reporter.plan, "on_progress": reporter.progress, "say": reporter.say}
        stored = run(suite, results=results, throughput=timed, reuse=folders, **hear).stored
    print(f"kept in {stored.folder}", file=sys.stderr)
    return stored


def _is_text(json: bool, format: str) -> bool:
    return not json and format in ("plain", "github")


def _draw(compared: "ComparisonTables", margin: float, output: Path, width: float) -> str:
    from optbench.figures.forest import plot_forest

    return "\n" + plot_forest(compared.rows, margin, output, width)


def _shown(compared: "ComparisonTables", format: str, columns: str | None, wide: bool) -> str:
    from optbench.cli.explain import with_hint
    from optbench.present.plain import wrapped
    from optbench.present.table import select

    names = [name.strip() for name in columns.split(",")] if columns else None
    per_problem = select(compared.per_problem, names)
    tables = [text(table, format, wide) for table in (per_problem, with_hint(compared.overall))]
    if format == "json":
        return f'{{"problems": {tables[0]},\n"overall": {tables[1]}}}'
    limit = line_width(wide) if format == "plain" else None
    sentences = "\n".join(wrapped(sentence, limit) for sentence in compared.sentences)
    return "\n\n".join([*tables, sentences] if format in ("plain", "github") else tables)
