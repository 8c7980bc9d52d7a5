"""Charts of lines, dots and cells: what is drawn where, in which colours, and that names are text."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from math import dist, inf, nan
from typing import Any
from xml.etree import ElementTree

import altair as alt
import pytest

from optbench.present.charts import style
from optbench.present.charts.dots import Dot, DotPanel, dots
from optbench.present.charts.files import DOTS, fitted, to_png, to_svg
from optbench.present.charts.heat import Cell, HeatPanel, heat
from optbench.present.charts.line_panel import Line, LinePanel, Mark, domains
from optbench.present.charts.lines import lines
from optbench.present.charts.style import Look

LOOK = Look(241, names=("sgd", "adam"))
HOSTILE = ("<script>alert(1)</script>", "a[b=0.9].c", 'it\'s "quoted" \\ {{x}}', "größe-数学", "&amp;%s", "datum.x")


def panel(*drawn: Line, marks: tuple[Mark, ...] = (), **fields: Any) -> LinePanel:
    return LinePanel("bowl", "batch size 4", "steps", "train loss", drawn, marks, **fields)


def texts(svg: str) -> list[str]:
    return [
        text
        for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
        for text in _lines(element)
    ]


def _lines(element: ElementTree.Element) -> Iterator[str]:
    yield from (text for text in element.itertext() if text.strip())


def luminance_and_colour(colour: str, matrix: tuple[tuple[float, ...], ...]) -> list[float]:
    """Bring a colour to CIE Lab, as who sees by such a matrix of linear RGB sees it."""
    coded = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    rgb = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in coded]
    seen = [min(max(sum(a * b for a, b in zip(row, rgb, strict=True)), 0), 1) for row in matrix]
    to_xyz = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    white = (0.9505, 1.0, 1.089)
    xyz = [sum(a * b for a, b in zip(row, seen, strict=True)) / w for row, w in zip(to_xyz, white, strict=True)]
    x, y, z = (value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116 for value in xyz)
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]


#: Machado, Oliveira, Fernandes, A physiologically-based model for simulation of color vision deficiency, 2009.
SIGHTS = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


@pytest.mark.parametrize("sight", SIGHTS.values(), ids=SIGHTS)
def test_colours_can_be_told_apart(sight):
    """A difference of 2.3 in Lab is just seen; lines also differ in dashes, points in shapes."""
    seen = {colour: luminance_and_colour(colour, sight) for colour in (*style.COLOURS, style.GREY)}
    nearest = min((dist(seen[a], seen[b]), a, b) for a, b in combinations(seen, 2))
    assert nearest[0] > 9, nearest
    assert len({*style.DASHES}) == len({*style.SHAPES}) == len({*style.COLOURS})


class TestTicks:
    @pytest.mark.parametrize(
        ("low", "high", "expected"),
        [
            (1e-3, 1e2, [1e-3, 1e-1, 1e1]),
            (1e-15, 1.0, [1e-15, 1e-11, 1e-7, 1e-3]),
            (3.0, 40.0, [5, 10, 20]),
            (2.8e-5, 1.7e-4, [3e-5, 4e-5, 6e-5, 1e-4]),
            (1.0, 4.0, [1, 2, 3, 4]),
        ],
    )
    def test_few_and_round(self, low, high, expected):
        assert style.log_ticks(low, high) == pytest.approx(expected)

    def test_a_narrow_logarithmic_axis_has_round_ticks_too(self):
        assert style.log_ticks(48.1683, 58.3348, 4) == [50, 55]
        assert style.log_ticks(0.99, 1.02) == [0.99, 1.0, 1.01, 1.02]

    @pytest.mark.parametrize(
        ("low", "high", "expected"),
        [
            (-10, 510, [0, 100, 200, 300, 400, 500]),
            (0.0027, 0.0071, [0.003, 0.004, 0.005, 0.006, 0.007]),
            (-0.5, 0.5, [-0.4, -0.2, 0, 0.2, 0.4]),
        ],
    )
    def test_a_linear_axis_has_few_and_round_ones(self, low, high, expected):
        assert style.linear_ticks(low, high, 4) == pytest.approx(expected)

    def test_labels_of_one_axis_are_all_powers_or_none(self):
        assert re.findall("'([^']*)' :", style.tick_labels([1e-15, 3e-5, 0.1, 1.0, 10.0])) == [
            *("10⁻¹⁵", "3·10⁻⁵", "10⁻¹", "1", "10"),
        ]
        assert re.findall("'([^']*)' :", style.tick_labels([0.0, 0.001, 0.25, 100.0])) == ["0", "0.001", "0.25", "100"]

    def test_there_are_some_in_any_range(self):
        assert all(2 <= len(style.log_ticks(low, low * 1.05)) <= 6 for low in (0.0047, 1.01, 99.0))


class TestNames:
    def test_titles_break_where_they_can(self):
        assert style.wrapped("quadratic[condition=1e4,dim=1000]", 24) == ["quadratic[condition=1e4,", "dim=1000]"]
        assert style.wrapped("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]
        assert style.wrapped("mlp", 10) == ["mlp"]

    def test_long_names_keep_both_ends_and_stay_apart(self):
        names = [f"optimistic_gradient_descent[beta={end}]" for end in (1, 2)]
        assert list(style.shorts(names, 12).values()) == ["optim…eta=1]", "optim…eta=2]"]
        alike = ["abcdefghXabcdefgh", "abcdefghYabcdefgh"]
        assert list(style.shorts(alike, 9).values()) == alike


class TestDomains:
    def test_of_finite_values_with_some_room(self):
        x, y = domains(panel(Line("sgd", [0, 10], [1.0, 0.0])))
        assert x == (pytest.approx(-0.2), pytest.approx(10.2)) and y == (pytest.approx(-0.04), pytest.approx(1.04))

    def test_zero_lies_below_the_lowest_of_a_logarithmic_axis(self):
        _, (low, high) = domains(panel(Line("sgd", [0, 1, 2], [1.0, 1e-4, 0.0]), log_y=True))
        assert 1e-5 < low < 1e-4 and high > 1

    def test_what_is_above_the_cap_does_not_stretch_the_axis(self):
        _, (_, high) = domains(panel(Line("sgd", [0, 1], [1.0, 1e30]), log_y=True, cap=2.0))
        assert 2 < high < 4

    def test_of_nothing_finite_there_is_an_axis_all_the_same(self):
        lost = panel(marks=(Mark("sgd", 1.0, inf, "lost"),), log_x=True, log_y=True)
        assert all(0 < low < high < inf for low, high in domains(lost))


def drawn(spec: dict[str, Any], field: str) -> list[dict[str, Any]]:
    return [row for rows in spec["datasets"].values() for row in rows if field in row]


class TestLines:
    def test_the_first_name_is_drawn_last_and_others_grey(self):
        found = [Line(name, [0, 1], [2.0, 1.0]) for name in ("sgd", "lion", "adam")]
        spec = lines([panel(*found)], LOOK._replace(others="1 other"))
        assert [row["optimizer"] for row in drawn(spec, "y")] == ["lion", "adam", "sgd"]
        assert [row["shown"] for row in drawn(spec, "y")] == ["1 other", "adam", "sgd"]

    def test_no_value_is_left_out(self):
        """Above the cap lies on the edge, what is no number breaks the line."""
        spec = lines([panel(Line("sgd", [0, 1, 2, 3], [1.0, 1e30, nan, 0.5]), cap=2.0)], LOOK)
        (row,) = drawn(spec, "y")
        assert row["y"][0] == 1 and 2 <= row["y"][1] < 4 and row["y"][2] is None and row["y"][3] == 0.5

    def test_crosses_lie_inside_one_below_the_other(self):
        marks = tuple(Mark(name, 1.0, inf, "lost") for name in ("sgd", "adam"))
        spec = lines([panel(Line("sgd", [0, 1], [2.0, 1.0]), marks=marks)], LOOK)
        adam, sgd = [row["y"] for row in drawn(spec, "said")]
        assert 1.9 < sgd < adam <= 2.2

    def test_many_thin_lines_take_little_room(self):
        found = [Line(f"o{place}", list(range(100)), [1 / (step + 1) for step in range(100)]) for place in range(52)]
        look = Look(241, names=tuple(line.name for line in found[:8]), others="44 others")
        assert len(to_svg(lines([panel(*found)], look), 241)) < 600_000


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("interactive", [False, True], ids=["file", "page"])
def test_names_are_text(name, interactive):
    look = Look(241, interactive, (name, "adam"))
    line = [Line(one, [0, 1], [2.0, 1.0], [1.0, 0.5], [3.0, 1.5]) for one in (name, "adam")]
    found = {
        "lines": lines([LinePanel(name, name, "steps", name, line, (Mark(name, 1.0, inf, name),), line)], look),
        "dots": dots([DotPanel(name, name, name, [Dot(name, 1.0, 0.5, 2.0), Dot("b", inf)])], look),
        "heat": heat([HeatPanel(name, name, name, name, name, [Cell(1, 1, 2), Cell(2, 1, inf)])], look),
    }
    for kind, figure in found.items():
        svg = to_svg(figure, 241)
        assert "<script" not in svg
        said = "".join(texts(svg)).replace(" ", "").replace("…", "")
        assert name.replace(" ", "") in said, kind


@pytest.mark.parametrize("look", [LOOK, Look(900, True, ("sgd", "adam"), "1 other")], ids=["file", "page"])
def test_what_is_put_together_is_vega_lite(look):
    """Parts are checked when they are made, but not what they are put together to."""
    line = Line("sgd", [0, 1], [2.0, 1.0], [1.0, 0.5], [3.0, 1.5])
    dot = DotPanel("t", "s", "x", [Dot("sgd", 1.0, 0.5, 2.0), Dot("adam", inf)], groups=[(0, 1)])
    cells = [Cell(1, 1, 2, best=True), Cell(2, 1, inf)]
    for figure in (
        lines([panel(line, marks=(Mark("sgd", 1.0, inf, "lost"),), points=[line], step=True, dotted=True)] * 2, look),
        dots([replace(dot, beside=replace(dot, bars=True)), dot], look),
        heat([HeatPanel("t", "s", "x", "y", "loss", cells)], look),
    ):
        alt.ConcatChart.validate(figure)


def test_control_characters_are_blanks():
    svg = to_svg(
        lines([panel(Line("a\x1b[31m\nb\x00", [0, 1], [2.0, 1.0]))], Look(241, names=("a\x1b[31m\nb\x00", "c"))), 241
    )
    assert "a [31m b" in "".join(texts(svg))


def test_diverged_cells_and_the_best_are_marked():
    cells = [Cell(0.1, 0, 2.0, best=True), Cell(0.1, 1e-3, 0.0), Cell(0.2, 0, inf), Cell(0.2, 1e-3, 3.0)]
    spec = heat([HeatPanel("t", "s", "x", "y", "loss", cells)], LOOK)
    rows = drawn(spec, "lost")
    assert [row["lost"] for row in rows] == [False, False, True, False]
    assert [row["value"] for row in rows] == [2, 2, None, 3] and [row["best"] for row in rows] == [True] + [False] * 3
    close = [Cell(0.101, 0, 1.0), Cell(0.104, 0, 2.0)]
    assert [row["x"] for row in drawn(heat([HeatPanel("", "", "", "", "", close)], LOOK), "lost")] == [
        "0.101",
        "0.104",
    ]


def test_a_bar_joins_the_rows_of_each_group_beside_their_intervals():
    found = [Dot(name, value, value - 0.5, value + 0.5) for value, name in enumerate("dbca")]
    spec = dots([DotPanel("t", "s", "x", found, groups=[(0, 1), (1, 3)])], LOOK)
    bars = drawn(spec, "group")
    assert [(bar["label"], bar["last"]) for bar in bars] == [("d", "b"), ("b", "a")]
    assert 3.5 < bars[1]["group"] < bars[0]["group"]
    # The bars leave the rows in their order.
    assert [text for text in texts(to_svg(spec, 241)) if text in "abcd"] == [*"dbca"]


def test_every_name_of_close_rows_is_written():
    found = [Dot(f"o{place}", 1.0 + place) for place in range(10)]
    svg = to_svg(dots([DotPanel("t", "s", "x", found)] * 6, LOOK), 241)
    assert sum(text in {dot.name for dot in found} for text in texts(svg)) == 60


def test_figures_of_dots_fit_a_sheet_of_paper():
    """Of 85 mm and of 170 mm: rows come closer, or panels stand side by side."""
    found = [Dot(f"o{place}", 1.0 + place) for place in range(10)]
    for width in (241.0, 482.0):
        make = lambda points: dots([DotPanel("t", "s", "x", found)] * 6, Look(round(points)))  # noqa: E731
        root = ElementTree.fromstring(to_svg(fitted(make, width), width))
        assert float(root.attrib["height"].removesuffix("mm")) < 297


def test_missed_dots_stand_within_the_right_edge():
    found = [Dot("sgd", 10.0, 5.0, inf), Dot("adam", inf, inf, inf), Dot("lion", 0.0)]
    spec = dots([DotPanel("t", "s", "x", found, log=True)], LOOK)
    sgd, adam, lion = drawn(spec, "missed")
    assert [sgd["missed"], adam["missed"], lion["missed"]] == [False, True, False]
    assert adam["value"] > sgd["value"] > lion["value"] > 0 and sgd["high"] > adam["value"] and adam["low"] is None


def test_a_figure_is_as_wide_as_asked():
    make = lambda width: lines([panel(Line("sgd", [0, 1], [2.0, 1.0]))] * 3, Look(round(width), names=("sgd",)))  # noqa: E731
    for width in (241.0, 500.0):
        figure = fitted(make, width)
        root = ElementTree.fromstring(to_svg(figure, width))
        assert float(root.attrib["width"].removesuffix("mm")) == pytest.approx(width / 72 * 25.4, abs=0.01)
        assert float(root.attrib["viewBox"].split()[2]) == pytest.approx(width, rel=0.03)
        png = to_png(figure, width)
        assert png[:4] == b"\x89PNG" and int.from_bytes(png[16:20]) == pytest.approx(width / 72 * DOTS, abs=2)
