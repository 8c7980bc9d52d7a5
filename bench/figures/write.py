"""A figure of a run, written to a file that a paper can include."""

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from optbench import figures
from optbench.analyse.outcomes import counted_alike
from optbench.errors import RequestError, refused
from optbench.figures.figure import Options
from optbench.store.locations import write_file
from optbench.store.run import StoredRun

if TYPE_CHECKING:
    from optbench.present.charts.style import Spec

SUFFIXES = (".svg", ".pdf", ".png")
EXTRA = ("altair", "vl_convert")


def draw(run: StoredRun, name: str, path: Path, options: Options) -> str:
    """Write a figure whole or not at all, and return its caption.

    Raises RequestError for an unknown kind or suffix, or an option that the kind doesn't take, ValueError if there is
    nothing to show, StoreError if the file can't be written.
    """
    figure = figures.kind(name)
    check_options(name, options)
    options = replace(options, view=replace(options.view, every_step=counted_alike(run.parts)))
    write_figure(lambda width: figure.draw(run, replace(options, width=width)), path, options.width)
    return figure.caption(run, options)


def check_options(name: str, options: Options) -> None:
    """Raise RequestError for a metric or an x that a kind of figure doesn't take, and name the kinds that do."""
    figure = figures.kind(name)
    if options.metric is not None and not figure.takes_metric:
        raise _not_taken("metric", name, [other for other in figures.names() if figures.kind(other).takes_metric])
    if options.x not in (None, "steps") and not figure.takes_x:
        raise _not_taken("x", name, [other for other in figures.names() if figures.kind(other).takes_x])
    if figure.takes_x and options.x not in (None, *figure.takes_x):
        raise refused("x", f"{options.x} of {name}", ", ".join(figure.takes_x))


def _not_taken(option: str, name: str, takers: list[str]) -> RequestError:
    return RequestError(f"{option}: not accepted for {name}; accepted for {', '.join(takers)}")


def write_figure(draw: Callable[[float], "Spec"], path: Path, width: float) -> None:
    """Write what `draw` returns for a width whole or not at all, as wide as asked.

    Raises RequestError for an unknown suffix or if the packages that render are missing, StoreError if the file can't
    be written, and what `draw` raises.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise RequestError(f"output: {str(path)!r} is not accepted; accepted: names that end in .svg, .pdf or .png")
    if not all(importlib.util.find_spec(name) for name in EXTRA):
        raise RequestError("figures need altair and vl-convert-python: pip install 'optbench[report]'")
    write_file(path, rendered(draw, path.suffix.lower(), width))


def rendered(draw: Callable[[float], "Spec"], suffix: str, width: float) -> bytes:
    """Return a figure as the bytes of a file that ends in a suffix. Raises what `draw` raises."""
    from optbench.present.charts.files import fitted, to_pdf, to_png, to_svg

    write: dict[str, Callable[[Spec, float], bytes]] = {
        ".svg": lambda spec, points: to_svg(spec, points).encode(),
        ".pdf": to_pdf,
        ".png": to_png,
    }
    return write[suffix](fitted(draw, width), width)
