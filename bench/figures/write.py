"""A figure of a run, written to a file that a paper can include."""

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from optbench.errors import check_name
from optbench.figures import FIGURES, Options
from optbench.store.locations import write_file
from optbench.store.run import StoredRun

SUFFIXES = (".svg", ".png")
#: The kinds that show a metric of choice, and those that have steps, or what else is counted, along an axis.
OF_METRIC = ("convergence", "curves", "grid", "sensitivity", "heatmap")
OF_X = ("curves", "grid", "ert")
EXTRA = ("altair", "vl_convert")


def draw(run: StoredRun, kind: str, path: Path, options: Options) -> str:
    """Write a figure whole or not at all, and return its caption.

    Raises ValueError for an unknown kind or suffix, and where there is nothing to show; StoreError where the file
    can't be written.
    """
    check_name(kind, tuple(FIGURES), "figure")
    for word, given, kinds in (("metric", options.metric is not None, OF_METRIC), ("x", options.x != "steps", OF_X)):
        if given and kind not in kinds:
            raise ValueError(f"{word}: not accepted for {kind}; accepted for {', '.join(kinds)}")
    write_figure(lambda width: FIGURES[kind].make(run, replace(options, width=width)), path, options.width)
    return FIGURES[kind].caption(run, options)


def write_figure(make: Callable[[float], Any], path: Path, width: float) -> None:
    """Write what `make` draws as wide as was asked, whole or not at all. Raises as `draw`."""
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"output: {str(path)!r} is not accepted; accepted: names that end in .svg or .png")
    if not all(importlib.util.find_spec(name) for name in EXTRA):
        raise ValueError("figures need altair and vl-convert-python: pip install 'optbench[report]'")
    write_file(path, rendered(make, path.suffix.lower(), width))


def rendered(make: Callable[[float], Any], suffix: str, width: float) -> bytes:
    """Draw a figure as wide as was asked."""
    from optbench.present.charts.files import fitted, to_png, to_svg

    figure = fitted(make, width)
    return to_png(figure, width) if suffix == ".png" else to_svg(figure, width).encode()
