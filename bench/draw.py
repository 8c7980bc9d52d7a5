"""A figure of a run, written to a file that a paper can include."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import FIGURES, Options
from bench.present.table import check_name
from bench.store.run_folder import write_file

if TYPE_CHECKING:
    from bench.tables import Run

SUFFIXES = (".svg", ".png")
#: The kinds that show a metric of choice, and those that have steps, or what else is counted, along an axis.
OF_METRIC = ("convergence", "curves", "grid", "sensitivity", "heatmap")
OF_X = ("curves", "grid", "ert")
EXTRA = ("altair", "vl_convert")


def draw(run: "Run", kind: str, path: Path, options: Options) -> str:
    """Write a figure whole or not at all, and return its caption.

    Raises ValueError for an unknown kind or suffix, and where there is nothing to show; StoreError where the file
    can't be written.
    """
    check_name(kind, tuple(FIGURES), "figure")
    for word, given, kinds in (("metric", options.metric is not None, OF_METRIC), ("x", options.x != "steps", OF_X)):
        if given and kind not in kinds:
            raise ValueError(f"{word}: not accepted for {kind}; accepted for {', '.join(kinds)}")
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"output: {str(path)!r} is not accepted; accepted: names that end in .svg or .png")
    if not all(importlib.util.find_spec(name) for name in EXTRA):
        raise ValueError("figures need altair and vl-convert-python: pip install 'optbench[report]'")
    write_file(path, rendered(run, kind, path.suffix.lower(), options))
    return FIGURES[kind].caption(run, options)


def rendered(run: "Run", kind: str, suffix: str, options: Options) -> bytes:
    """Draw a figure as wide as was asked."""
    from dataclasses import replace

    from bench.present.charts.files import fitted, to_png, to_svg

    figure = fitted(lambda width: FIGURES[kind].make(run, replace(options, width=width)), options.width)
    if suffix == ".png":
        return to_png(figure, options.width)
    return to_svg(figure, options.width).encode()
