"""Figures as files: SVG whose text is text, and PNG; without a browser."""

import re
from collections.abc import Callable

from optbench.present.charts.style import Spec

#: Dots of a PNG on an inch of paper.
DOTS = 300
MILLIMETRES = 25.4
#: Share of its width by which a figure is scaled rather than made again.
NEAR = 0.026


def fitted(make: Callable[[float], Spec], width: float) -> Spec:
    """Make a figure about as wide as was asked, in points: twice, where the first try is far off."""
    figure = make(width)
    found = _size(_svg(figure))[0]
    return figure if abs(found - width) < NEAR * width else make(width + width - found)


def to_svg(figure: Spec, width: float) -> str:
    """Write a figure as SVG of such a width, in points: a text editor's text stays text."""
    svg = _svg(figure)
    found = _size(svg)
    size = [f"{value * width / found[0] / 72 * MILLIMETRES:.2f}mm" for value in found]
    return re.sub(r'width="[\d.]+" height="[\d.]+"', f'width="{size[0]}" height="{size[1]}"', svg, count=1)


def to_png(figure: Spec, width: float) -> bytes:
    """Write a figure as PNG of such a width, in points, at 300 dots per inch."""
    import vl_convert

    found = _size(_svg(figure))[0]
    return vl_convert.vegalite_to_png(figure, ppi=DOTS * width / found, allowed_base_urls=[])


def _svg(figure: Spec) -> str:
    import vl_convert

    # Names are no addresses: nothing is fetched.
    return vl_convert.vegalite_to_svg(figure, allowed_base_urls=[])


def _size(svg: str) -> tuple[float, float]:
    found = re.search(r'width="([\d.]+)" height="([\d.]+)"', svg)
    assert found is not None
    return float(found[1]), float(found[2])
