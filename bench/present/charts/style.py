"""How every chart looks: sizes for a paper's column, colours that the colour-blind can tell apart, axes, names."""

import math
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

import altair as alt

#: A Vega-Lite specification, or a part of one.
Spec = dict[str, Any]
#: Okabe, Ito, Color universal design, 2008, with purple and brown for its yellow and black: each can be seen on white
#: and on a dark page. The strongest is the last, which is the first of a user's own optimizers.
COLOURS = ("#0072B2", "#009E73", "#9030D0", "#E69F00", "#56B4E9", "#CC79A7", "#905030", "#D55E00")
#: A second channel: dashes and shapes distinguish the same names without any colour.
DASHES = ((1, 0), (4, 1.5), (1, 1), (6, 1.5, 1, 1.5), (2.5, 1), (8, 2), (4, 1, 1, 1, 1, 1), (1, 2))
#: Four-pointed: unlike a cross, it is filled.
STAR = "M0,-1L0.3,-0.3L1,0L0.3,0.3L0,1L-0.3,0.3L-1,0L-0.3,-0.3Z"
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "triangle-right", "triangle-left", STAR)
GREY, INK = "#b8b8b8", "#222222"
#: A cross, for a divergence or a missed target.
CROSS = "M-1,-1L1,1M-1,1L1,-1"
#: From and up to which numbers are written without a power of ten.
SHORT = (9e-4, 9e4)
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
#: Points of the narrowest page: a figure in a paper's column is narrower.
PAGE = 400


class Style(NamedTuple):
    """How one name is drawn: three channels that each tell it from others, and whether its line is a thick one."""

    colour: str
    dash: tuple[float, ...]
    shape: str
    thick: bool = False


STYLES = tuple(map(Style, COLOURS, DASHES, SHAPES))
#: A user's own optimizer.
OWN = Style(COLOURS[-1], DASHES[0], SHAPES[-1], True)


class Look(NamedTuple):
    """The width of a figure in points, and the coloured names; all others are one grey."""

    width: int
    interactive: bool = False
    names: tuple[str, ...] = ()
    #: The legend's name of the grey ones, if there are any.
    others: str = ""
    #: Those of the names; none for `STYLES` in their order.
    chosen: tuple[Style, ...] = ()

    @property
    def styles(self) -> tuple[Style, ...]:
        """Return the style of each name."""
        return self.chosen or STYLES[: len(self.names)]

    def colour(self, name: str) -> str:
        """Return a name's colour: grey for others, and the first colour where no name has one."""
        if not self.names:
            return COLOURS[0]
        return dict(zip(self.names, self.styles, strict=True))[name].colour if name in self.names else GREY

    @property
    def font(self) -> float:
        """Points of the smallest text: at least 7, also if a figure comes out a little too wide and is scaled."""
        return 10 if self.width > PAGE else 7.2

    @property
    def extent(self) -> float:
        """Width of an axis' labels, in points."""
        return 3.8 * self.font


def plain(value: float) -> float | None:
    """Return a number to five digits, which is more than a line shows; None if JSON has no such number."""
    return float(f"{value:.5g}") if math.isfinite(value) else None


def clean(text: str) -> str:
    """Return a name with blanks for line breaks and control characters."""
    return "".join(mark if mark.isprintable() else " " for mark in text)


def short(name: str, most: int) -> str:
    """Return a name without its middle if it is long: optimizers of one family differ at their ends."""
    name = clean(name)
    if len(name) <= most:
        return name
    return f"{name[: most - most // 2 - 1]}…{name[len(name) - most // 2 :]}"


def shorts(names: Iterable[str], most: int) -> dict[str, str]:
    """Return names with their short forms, except those that would then be alike."""
    short_names = {name: short(name, most) for name in names}
    texts = list(short_names.values())
    return {name: text if texts.count(text) == 1 else clean(name) for name, text in short_names.items()}


def wrapped(text: str, most: int) -> list[str]:
    """Return a title broken after commas, brackets, dashes and blanks into lines of at most so many characters."""
    lines: list[str] = []
    for piece in re.findall(r"[^,\[ /_;]+[,\[ /_;]*|[,\[ /_;]+", clean(text)):
        if not lines or len(lines[-1]) + len(piece.rstrip()) > most:
            lines.append("")
        lines[-1] += piece
    # A piece without such a mark is broken anywhere.
    return [line[first : first + most].rstrip() for line in lines for first in range(0, len(line), most)] or [""]


@cache
def colour_scale(look: Look) -> alt.Scale:
    """Return the scale that gives each coloured name its colour, and grey to the others."""
    return alt.Scale(domain=_domain(look), range=[*(one.colour for one in look.styles), *_grey(look, GREY)])


@cache
def dash_scale(look: Look) -> alt.Scale:
    """Return the scale that gives each coloured name its dashes."""
    return alt.Scale(domain=_domain(look), range=[*(list(one.dash) for one in look.styles), *_grey(look, [1, 0])])


@cache
def shape_scale(look: Look) -> alt.Scale:
    """Return the scale that gives each coloured name its shape."""
    return alt.Scale(domain=_domain(look), range=[*(one.shape for one in look.styles), *_grey(look, "circle")])


def _domain(look: Look) -> list[str]:
    return [*map(clean, look.names), *_grey(look, look.others)]


def _grey(look: Look, value: Any) -> list[Any]:
    return [value] if look.others else []


def title(text: str, subtitle: str, width: float, look: Look) -> alt.TitleParams:
    """Return the title of a panel of a width in points, axis included: the problem, and a subtitle under it."""
    most = max(int(width / (0.56 * look.font)), 8)
    return alt.TitleParams(wrapped(text, most), subtitle=wrapped(subtitle, most) if subtitle else alt.Undefined)


@cache
def legend(look: Look, points: bool = False) -> alt.Legend | None:
    """Return the legend of the colours above the panels; None for one name, which titles or axes hold.

    A page has none in its charts: it shows the names above each figure, where they stay in view.
    """
    if len(look.names) + bool(look.others) < 2 or look.interactive:
        return None
    longest = max(map(len, _domain(look)))
    columns = max(1, int(look.width / (0.56 * look.font * longest + 5 * look.font)))
    stroke: dict[str, Any] = {"symbolType": "stroke", "symbolStrokeWidth": 1.4, "symbolSize": 160}
    symbol: dict[str, Any] = {"symbolStrokeWidth": 0, "symbolSize": 6 * look.font} if points else stroke
    return alt.Legend(title=None, orient="top", columns=columns, symbolOpacity=1, labelLimit=look.width, **symbol)


def value_axis(
    title: str | None, log: bool, domain: tuple[float, float], width: float = 200, **options: Any
) -> alt.Axis:
    """Return an axis of numbers, `width` points long: powers of ten if it is logarithmic, else few ticks."""
    most = 4 if width > 100 else 3
    ticks = log_ticks(*domain, most + 1) if log else linear_ticks(*domain, most)
    return alt.Axis(
        **{"title": title, "values": ticks, "labelExpr": tick_labels(options.get("values", ticks))} | options
    )


def tick_labels(ticks: Sequence[float]) -> str:
    """Return the expression that labels ticks: as they are if all are of few digits, else by powers of ten."""
    by_powers = any(tick and not SHORT[0] <= abs(tick) < SHORT[1] for tick in ticks)
    # A tick is as good as its value: an axis computes none of its own.
    cases = [f"abs(datum.value - {tick!r}) <= {abs(tick) * 1e-6!r} ? '{_number(tick, by_powers)}' : " for tick in ticks]
    return f"{''.join(cases)}format(datum.value, '~g')"


def _number(value: float, by_powers: bool) -> str:
    """Return a number as people write it: 10⁻⁴, 3·10⁻⁵, 0.02; 1 and 10 are never powers."""
    digits, _, exponent = f"{value:.5e}".partition("e")
    digits = digits.rstrip("0").rstrip(".")
    if not by_powers or value == 0 or (0 <= int(exponent) < 2 and digits == "1"):
        return f"{value:.6g}"
    power = f"10{str(int(exponent)).translate(_RAISED)}"
    return power if digits == "1" else f"-{power}" if digits == "-1" else f"{digits}·{power}"


def log_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return ticks of a logarithmic axis: even powers of ten; on less than two decades also 2 and 5, or all between."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if last - first >= 2:
        stride = -(-(last - first + 1) // most)
        return [10.0**power for power in range(first, last + 1, stride)]
    for factors in ((1, 2, 5), (1, 2, 3, 4, 6), (1, 1.2, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9)):
        series = [float(f"{factor}e{power}") for power in range(first - 1, last + 1) for factor in factors]
        inside = [tick for tick in series if low <= tick * (1 + 1e-9) and tick <= high * (1 + 1e-9)]
        if len(inside) >= 3:
            return _apart(inside, (high / low) ** (0.75 / most))
    return linear_ticks(low, high, most - 1)


def linear_ticks(low: float, high: float, most: int) -> list[float]:
    """Return about as many round numbers, at most two more, evenly between two ends: in steps of 1, 2 or 5."""
    ten = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(factor * ten for factor in (1, 2, 5, 10) if (high - low) / (factor * ten) <= most + 1.5)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]


def _apart(ticks: list[float], factor: float) -> list[float]:
    """Return ticks without those whose labels would touch the label before them."""
    spaced_ticks = ticks[:1]
    for tick in ticks[1:]:
        spaced_ticks += [tick] if tick >= spaced_ticks[-1] * factor else []
    return spaced_ticks


def scale(log: bool, domain: Sequence[float]) -> alt.Scale:
    """Return a scale of a domain; values beyond it are drawn on the edge."""
    kind: dict[str, Any] = {"type": "log"} if log else {"type": "linear", "zero": False}
    return alt.Scale(**kind, domain=list(domain), nice=False, clamp=True)


def config(look: Look) -> alt.Config:
    """Return fonts, lines and distances of a whole figure."""
    font = look.font
    text: dict[str, Any] = {"labelFontSize": font, "titleFontSize": font + 0.5, "titleFontWeight": "normal"}
    grid: dict[str, Any] = {"gridColor": "#e6e6e6", "gridWidth": 0.5, "domain": False, "tickWidth": 0.5, "tickSize": 3}
    apart: dict[str, Any] = {"labelOverlap": "greedy", "labelSeparation": 4}
    room: dict[str, Any] = {"rowPadding": 1, "columnPadding": 6, "offset": 6, "padding": 0}
    bold: dict[str, Any] = {"fontSize": font + 0.5, "fontWeight": "bold", "anchor": "start", "offset": 4, "color": INK}
    return alt.Config(
        font="Helvetica, Arial, sans-serif",
        padding=4,
        background="white",
        axis=alt.AxisConfig(**text, **grid, **apart, titlePadding=2, labelPadding=3, labelColor=INK, titleColor=INK),
        legend=alt.LegendConfig(labelFontSize=font, labelColor=INK, **room),
        title=alt.TitleConfig(**bold, subtitleFontSize=font, subtitlePadding=1),
        view=alt.ViewConfig(stroke="#999999", strokeWidth=0.5),
        concat=alt.CompositionConfig(spacing=8),
    )
