"""`optbench plot`."""

import re
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from optbench import figures
from optbench.cli.options import ResultsFolder, Text, View, alternatives

#: Points in one of each unit; a pixel of a page is a point of a paper.
UNITS = {"mm": 72 / 25.4, "cm": 720 / 25.4, "in": 72.0, "pt": 1.0, "px": 1.0}
#: Narrower, nothing would be legible; wider is a poster.
NARROWEST, WIDEST = 140, 3000


def plot(
    run: str | None = None,
    kind: Annotated[str | None, Parameter(help=f"{alternatives(figures.names())}.")] = None,
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
    width
        Width of the figure, in mm, cm, in, pt or px; a paper's column is about 85mm.
    """
    from optbench.analyse.outcomes import Slice
    from optbench.errors import RequestError
    from optbench.figures.figure import Options
    from optbench.figures.write import draw
    from optbench.store.run import load_stored

    if run is None:
        raise RequestError(f"plot needs a figure; accepted: {', '.join(figures.names())}")
    output = figure_file(output, optimizer)
    options = Options(metric, x, log, Slice(**view.words()), width=points(width))
    name, figure = ("latest", run) if kind is None else (run, kind)
    try:
        cells = load_stored(name, results).only(problem or (), optimizer or ())
        print(draw(cells, figure, output, options))
    except ValueError as error:
        raise RequestError(str(error)) from error


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
