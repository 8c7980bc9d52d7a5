"""Figures as files: SVG and PDF whose text is text, and PNG; without a browser."""

import re
from collections.abc import Callable

from optbench.present.charts.style import Spec

#: Dots of a PNG on an inch of paper.
DOTS = 300
MILLIMETRES = 25.4
#: Relative difference of widths up to which a figure is scaled, and beyond which it is made again.
MAX_SCALING = 0.026


def fitted(make: Callable[[float], Spec], width: float) -> Spec:
    """Return a figure about as wide as requested, in points: made twice if the first is far off."""
    figure = make(width)
    actual_width = _size(_svg(figure))[0]
    return figure if abs(actual_width - width) < MAX_SCALING * width else make(width + width - actual_width)


def to_svg(figure: Spec, width: float) -> str:
    """Return a figure as SVG of a width in points; its text stays text in an editor."""
    return _resized(figure, width, lambda points: f"{points / 72 * MILLIMETRES:.2f}mm")


def to_png(figure: Spec, width: float) -> bytes:
    """Return a figure as PNG of a width in points, at 300 dots per inch."""
    import vl_convert

    actual_width = _size(_svg(figure))[0]
    return vl_convert.vegalite_to_png(figure, ppi=DOTS * width / actual_width, allowed_base_urls=[])


def to_pdf(figure: Spec, width: float) -> bytes:
    """Return a figure as PDF of a width in points, with its fonts in it."""
    import vl_convert

    # What it reads as a pixel becomes a point.
    return vl_convert.svg_to_pdf(_resized(figure, width, lambda points: f"{points:.3f}"))


def _resized(figure: Spec, width: float, length: Callable[[float], str]) -> str:
    """Return a figure as SVG of a width in points, with its size written as `length` writes one."""
    svg = _svg(figure)
    actual_size = _size(svg)
    size = [length(value * width / actual_size[0]) for value in actual_size]
    return re.sub(r'width="[\d.]+" height="[\d.]+"', f'width="{size[0]}" height="{size[1]}"', svg, count=1)


def _svg(figure: Spec) -> str:
    import vl_convert

    # Names of optimizers are no addresses: nothing is fetched.
    return vl_convert.vegalite_to_svg(figure, allowed_base_urls=[])


def _size(svg: str) -> tuple[float, float]:
    match = re.search(r'width="([\d.]+)" height="([\d.]+)"', svg)
    assert match is not None
    return float(match[1]), float(match[2])
