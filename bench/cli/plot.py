"""`optbench plot`."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from optbench import figures
from optbench.cli.options import Count, ResultsFolder, Text, View, alternatives

#: Points in one of each unit; a pixel of a page is a point of a paper.
UNITS = {"mm": 72 / 25.4, "cm": 720 / 25.4, "in": 72.0, "pt": 1.0, "px": 1.0}
#: Narrower, nothing would be legible; wider is a poster.
NARROWEST, WIDEST = 140, 3000
#: The figure that is of no run: it trains what it shows.
PATH = "path"


def plot(
    run: str | None = None,
    kind: Annotated[str | None, Parameter(help=f"{alternatives((*figures.names(), PATH))}.")] = None,
    *,
    output: Path | None = None,
    metric: Text = None,
    x: Annotated[
        Literal["steps", "examples", "gradients", "seconds", "gradient_evaluations"] | None, Parameter(alias="--by")
    ] = None,
    log: bool | None = None,
    view: View = View(),  # noqa: B008 (frozen)
    problem: Annotated[list[str] | None, Parameter(alias="-p")] = None,
    optimizer: Annotated[list[str] | None, Parameter(alias="-o")] = None,
    steps: Count = None,
    learning_rate: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    width: Text = "85mm",
    results: ResultsFolder = "results",
) -> None:
    """Draw a figure of a run as SVG, PDF or PNG, and print its caption.

    Parameters
    ----------
    run
        Name, path, or latest, which is meant where it is left out: optbench plot KIND.
    output
        File to write: figure.svg, figure.pdf or figure.png (300 dots per inch).
    metric
        Metric of a figure that shows one of choice, as curves does, named as in the table `curves`; where not given,
        the gap to the optimum if that is known, or train_loss.
    x
        What curves, and other figures of work, are drawn against; gradients where not given and optimizers differ in
        gradients a step, but steps for curves.
    log
        A logarithmic axis of values; where it matters, if not given.
    problem
        Look at this problem alone: its label, its family, or a pattern; repeat for several.
    optimizer
        Look at this optimizer alone; repeat for several.
    steps
        Updates of each optimizer in the figure path, which is of no run: optbench plot path -p
        "test_function[name=beale]" trains some optimizers, or those of -o, and draws their way over the level lines
        of a problem of two parameters. 200 where not given.
    learning_rate
        Learning rates of path, as of run; each optimizer is drawn at the best of them. 1e-5:1:16 where not given.
    width
        Width of the figure, in mm, cm, in, pt or px; a paper's column is about 85mm.
    """
    from optbench.analyse.outcomes import Slice
    from optbench.errors import RequestError
    from optbench.figures.figure import Options
    from optbench.figures.write import draw
    from optbench.store.run import load_stored

    if run is None:
        raise RequestError(f"plot needs a figure; accepted: {', '.join((*figures.names(), PATH))}")
    output = figure_file(output, optimizer)
    if PATH in (run, kind):
        _check_path(run, {"metric": metric, "x": x, "log": log, **view.words()})
        print(_draw_path(problem or [], optimizer, steps, learning_rate, output, points(width)))
        return
    for name, value in (("steps", steps), ("learning_rate", learning_rate)):
        if value is not None:
            raise RequestError(f"{name}: not accepted for {kind or run}; accepted for {PATH}")
    options = Options(metric, x, log, Slice(**view.words()), width=points(width))
    name, figure = ("latest", run) if kind is None else (run, kind)
    try:
        cells = load_stored(name, results).only(problem or (), optimizer or ())
        print(draw(cells, figure, output, options))
    except ValueError as error:
        raise RequestError(str(error)) from error


def _check_path(run: str, options: dict[str, Any]) -> None:
    """Raise RequestError for a run, or an option, that the figure path doesn't take."""
    from optbench.errors import RequestError

    if run != PATH:
        raise RequestError(f"{PATH} is of no run: it trains what it shows; accepted: optbench plot {PATH} -p PROBLEM")
    taken = next((name for name, value in options.items() if value is not None), None)
    if taken:
        raise RequestError(f"{taken}: not accepted for {PATH}; accepted: problem, optimizer, steps, learning rate")


def _draw_path(
    problems: list[str],
    optimizers: list[str] | None,
    steps: int | None,
    rates: str | None,
    output: Path,
    width: float,
) -> str:
    from optbench.errors import RequestError
    from optbench.runner.paths import plot_path

    if len(problems) != 1:
        raise RequestError(f'{PATH} needs one problem of two parameters, as in -p "test_function[name=beale]"')
    options = {"optimizers": optimizers, "steps": steps, "learning_rate": rates}
    return plot_path(
        problems[0], output, width=width, **{name: value for name, value in options.items() if value is not None}
    )


def figure_file(output: Path | None, optimizers: list[str] | None) -> Path:
    """Return the file of a figure. Raises RequestError without one, also if it is given where optimizers are."""
    from optbench.errors import RequestError

    if output is not None:
        return output
    file = next((name for name in optimizers or () if name.endswith((".svg", ".pdf", ".png"))), None)
    hint = f", and -o, which was given {file}, names optimizers" if file else ""
    raise RequestError(f"a figure needs a file{hint}; accepted: --output {file or 'FIGURE.svg'}")


def points(text: str | None) -> float:
    """Return the points of a width: a number and its unit. Raises RequestError."""
    from optbench.errors import RequestError

    match = re.fullmatch(r"(\d+(?:\.\d*)?)\s*(mm|cm|in|pt|px)?", text or "")
    width = float(match[1]) * UNITS[match[2] or "px"] if match else 0.0
    if not NARROWEST <= width <= WIDEST:
        raise RequestError(
            f"width: {text!r} is not accepted; accepted: 50mm to 1000mm, as a number with mm, cm, in, pt or px"
        )
    return width
