"""How every chart looks: sizes for a paper's column, colours that the colour-blind can tell apart, axes, names."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import altair as alt

#: Okabe, Ito, Color universal design, 2008, without its yellow, which is too pale for a line on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#000000", "#CC79A7", "#56B4E9", "#E69F00", "#7A5C00")
#: A second channel: dashes and shapes tell the same names apart without any colour.
DASHES = ((1, 0), (4, 1.5), (1, 1), (6, 1.5, 1, 1.5), (2.5, 1), (8, 2), (4, 1, 1, 1, 1, 1), (1, 2))
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "triangle-right", "triangle-left", "stroke")
GREY, INK = "#b8b8b8", "#222222"
#: A cross, for what diverged or missed its target.
CROSS = "M-1,-1L1,1M-1,1L1,-1"
#: Panels are narrower than that only in a paper's column.
PAGE = 400


class Look(NamedTuple):
    """Say how wide a figure is, and which names are coloured; all others are one grey."""

    width: int
    interactive: bool = False
    names: tuple[str, ...] = ()
    #: What the grey ones are called, where there are any.
    others: str = ""

    @property
    def font(self) -> float:
        """Points of the smallest text."""
        return 10 if self.width > PAGE else 7

    @property
    def extent(self) -> float:
        """Room for an axis' labels."""
        return 3.8 * self.font


def plain(value: float) -> float | None:
    """Keep five digits of a number, which is more than a line shows; None for what JSON can't say."""
    return float(f"{value:.5g}") if math.isfinite(value) else None


def clean(text: str) -> str:
    """Keep a name on its line, and control characters out of it."""
    return "".join(mark if mark.isprintable() else " " for mark in text)


def short(name: str, most: int) -> str:
    """Take the middle out of a long name: optimizers of one family differ at their ends."""
    name = clean(name)
    if len(name) <= most:
        return name
    return f"{name[: most - most // 2 - 1]}…{name[len(name) - most // 2 :]}"


def shorts(names: Iterable[str], most: int) -> dict[str, str]:
    """Shorten names, but for those that would then be alike."""
    found = {name: short(name, most) for name in names}
    texts = list(found.values())
    return {name: text if texts.count(text) == 1 else clean(name) for name, text in found.items()}


def wrapped(text: str, most: int) -> list[str]:
    """Break a title after commas, brackets and blanks into lines of about so many characters."""
    lines, pieces = [""], _pieces(clean(text), most)
    for piece in pieces:
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > most:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def _pieces(text: str, most: int) -> Iterable[str]:
    start = 0
    for place, mark in enumerate(text):
        if mark in ",[ /" or place - start + 1 >= most:
            yield text[start : place + 1]
            start = place + 1
    yield text[start:]


def colour_scale(look: Look) -> alt.Scale:
    """Give each coloured name its colour, and grey to the others."""
    return alt.Scale(domain=_domain(look), range=[*COLOURS[: len(look.names)], *_grey(look, GREY)])


def dash_scale(look: Look) -> alt.Scale:
    """Give each coloured name its dashes."""
    return alt.Scale(domain=_domain(look), range=[*map(list, DASHES[: len(look.names)]), *_grey(look, [1, 0])])


def shape_scale(look: Look) -> alt.Scale:
    """Give each coloured name its shape."""
    return alt.Scale(domain=_domain(look), range=[*SHAPES[: len(look.names)], *_grey(look, "circle")])


def _domain(look: Look) -> list[str]:
    return [*map(clean, look.names), *_grey(look, look.others)]


def _grey(look: Look, value: Any) -> list[Any]:
    return [value] if look.others else []


def legend(look: Look) -> alt.Legend | None:
    """Name the colours below the panels; one name needs no legend, since titles or axes say it."""
    if len(look.names) + bool(look.others) < 2:
        return None
    longest = max(map(len, _domain(look)))
    columns = max(1, int(look.width / (0.56 * look.font * longest + 5 * look.font)))
    return alt.Legend(title=None, orient="bottom", columns=columns, symbolSize=160, labelLimit=look.width)


def value_axis(title: str | None, log: bool, domain: Sequence[float], look: Look, **options: Any) -> alt.Axis:
    """Make an axis of numbers: powers of ten where it is logarithmic, few ticks where not."""
    if not log:
        return alt.Axis(title=title, tickCount=4, format="~g", **options)
    ticks = log_ticks(*domain)
    text = "datum.value >= 0.009 && datum.value < 9e4 ? format(datum.value, '~g') : "
    return alt.Axis(
        title=title, values=ticks, labelExpr=text + "replace(format(datum.value, '~e'), '+', '')", **options
    )


def log_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Choose ticks of a logarithmic axis: powers of ten, evenly; within a decade or two also 2 and 5."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if last - first >= 2:
        every = -(-(last - first + 1) // most)
        return [10.0**power for power in range(first, last + 1, every)]
    series = [factor * 10.0**power for power in range(first - 1, last + 1) for factor in (1, 2, 5)]
    inside = [tick for tick in series if low <= tick * (1 + 1e-9) and tick <= high * (1 + 1e-9)]
    return inside or [low, high]


def scale(log: bool, domain: Sequence[float]) -> alt.Scale:
    """Make a scale whose ends are given; what lies beyond is drawn on the edge."""
    return alt.Scale(type="log" if log else "linear", domain=list(domain), nice=False, zero=False, clamp=True)


def styled(chart: Any, look: Look) -> Any:
    """Set fonts, lines and distances of a whole figure."""
    font = look.font
    text = {"labelFontSize": font, "titleFontSize": font + 0.5, "titleFontWeight": "normal"}
    axis = {"gridColor": "#e6e6e6", "gridWidth": 0.5, "domainWidth": 0.5, "tickWidth": 0.5, "tickSize": 3}
    return (
        chart.configure(font="Helvetica, Arial, sans-serif", padding=4, background="white")
        .configure_axis(**text, **axis, titlePadding=2, labelPadding=2, labelColor=INK, titleColor=INK)
        .configure_legend(labelFontSize=font, rowPadding=1, columnPadding=6, offset=6, labelColor=INK, padding=0)
        .configure_title(fontSize=font + 0.5, fontWeight="bold", anchor="start", offset=4, color=INK)
        .configure_view(stroke="#999999", strokeWidth=0.5)
        .configure_concat(spacing=8)
    )
