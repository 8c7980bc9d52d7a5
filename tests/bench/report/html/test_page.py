"""The page as text: what it holds, escaped, and nothing from outside."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from optbench.present.table import Table
from optbench.report.html.data import embed_json
from optbench.report.html.page import Commands, FigureBlock, Page, Paragraphs, Section, TableBlock, Variant, format_page

HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</script>", "a\u2028\x1b[31mb", "Ω & 'x'")


class Tags(HTMLParser):
    """Gather elements, their attributes and their text; refuse what isn't closed in order."""

    VOID = ("meta", "link", "input", "wbr", "img", "br")

    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.found.append([tag, dict(attributes), ""])
        if tag not in self.VOID:
            self.open.append(self.found[-1])

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for one in self.open:
            one[2] += data

    def of(self, tag, **wanted):
        return [one for one in self.found if one[0] == tag and wanted.items() <= one[1].items()]


def page(*blocks, title="a page", summary=("One.", "Two.")):
    return Tags(format_page(Page(title, summary, [Section("first", blocks)]), "window.vegaEmbed = 1;"))


def rows(*values):
    return tuple({"problem": "bowl", "optimizer": name, "train_loss": loss} for name, loss in values)


COLUMNS = ("problem", "optimizer", "train_loss")


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_text_wherever_they_stand(name):
    table = Table(name, COLUMNS, rows((name, 1.0), ("b", 2.0)), notes=(name,))
    figure = FigureBlock(name, [Variant({"title": name}, {name: name}), Variant({}, {name: "b"})], name)
    found = page(
        Paragraphs([name]), Commands([name]), TableBlock(table), figure, TableBlock(table, closed=True), title=name
    )
    assert not found.of("img") and len(found.of("script")) == 4
    (data,) = (json.loads(one[2]) for one in found.of("script", type="application/json") if "id" not in one[1])
    assert data[0] == {"choice": {name: name}, "spec": {"title": name, "datasets": {}}}
    shown = "".join(mark if mark.isprintable() else " " for mark in name)
    assert found.of("th", scope="row")[0][2] == shown and found.of("title")[0][2] == shown
    assert all(not key.startswith("on") for one in found.found for key in one[1])


def test_nothing_comes_from_outside_and_no_other_script_may_run():
    found = page(FigureBlock("f", [Variant({})], "c"))
    assert not [one for one in found.found if {"src", "srcset", "action"} & set(one[1])]
    assert [one[1]["href"] for one in found.of("link")] == ["data:,"]
    (policy,) = (one[1]["content"] for one in found.of("meta") if "http-equiv" in one[1])
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe-eval" not in policy
    run = [one[2] for one in found.of("script") if "type" not in one[1]]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in run]
    assert re.findall("'sha256-([^']+)'", policy) == hashes and len(run) == 2


def test_a_page_without_figures_needs_no_library():
    assert [one[2] for one in page(Paragraphs(["a"])).of("script")][-1] != "window.vegaEmbed = 1;"
    assert len(page(Paragraphs(["a"])).of("script")) == 2


def test_it_is_a_page_for_everybody():
    found = page(TableBlock(Table("t", COLUMNS, rows(("a", 1.0), ("b", 2.0)))), FigureBlock("f", [Variant({})], "how"))
    assert found.of("html")[0][1] == {"lang": "en"} and found.of("title")[0][2] == "a page"
    assert [len(found.of(tag)) for tag in ("main", "nav", "header", "h1", "caption")] == [1] * 5
    assert found.of("a", href="#main", **{"class": "skip"}) and found.of("label", **{"for": "filter"})
    assert found.of("figcaption")[0][2] == "how"
    assert all(one[1]["scope"] == "col" for one in found.of("th") if "aria-sort" in one[1])


def test_json_is_strict_and_ends_no_element():
    text = embed_json({"a": [float("nan"), float("inf"), 1.5], "b": "</script><!--"})
    assert json.loads(text, parse_constant=pytest.fail) == {"a": [None, None, 1.5], "b": "</script><!--"}
    assert "<" not in text


def test_data_that_figures_share_is_written_once():
    row, other = {"name": "a", "x": [0, 1], "y": [2, None]}, {"name": "b", "x": [0, 1], "y": [3, 4]}
    specs = [{"datasets": {"rows": [row, other]}, "n": 1}, {"datasets": {"one": [other], "same": [row, other]}, "n": 2}]
    found = page(*(FigureBlock("f", [Variant(spec)], "c") for spec in specs))
    (data,) = (json.loads(one[2]) for one in found.of("script", id="data"))
    assert data["lists"] == [[0, 1], [2, None], [3, 4]]
    first, second = {"name": "a", "x": [0], "y": [1]}, {"name": "b", "x": [0], "y": [2]}
    assert data["datasets"] == [[first, second], [second]]
    texts = [one[2] for one in found.of("script", type="application/json") if "id" not in one[1]]
    assert [json.loads(text)[0]["spec"]["datasets"] for text in texts] == [{"rows": 0}, {"one": 1, "same": 0}]


def test_choices_are_named_once_and_alone_not_at_all():
    several = [Variant({}, {"x": x, "y": "log"}) for x in ("steps", "seconds")]
    found = page(FigureBlock("f", several, "c"))
    assert [one[1]["data-choice"] for one in found.of("select")] == ["x"]
    assert [one[2] for one in found.of("option")] == ["steps", "seconds"]


def cells(*values):
    found = page(TableBlock(Table("t", COLUMNS, rows(*values))))
    return [one for one in found.of("td") if "data-value" in one[1]]


def test_cells_know_their_number_and_how_near_it_is():
    best, worse, lost = cells(("a", 1.0), ("b", 4.0), ("c", float("inf")))
    assert best[1] == {
        "data-value": "1.0", "class": "number near", "style": "--near:1.00", "title": "the best here"
    }  # fmt: skip
    assert (worse[1]["style"], worse[1]["title"]) == ("--near:0.33", "4 x the best")
    assert lost[1]["class"] == "number lost" and lost[2] == "diverged"


def test_what_all_rows_hold_is_told_once():
    found = page(TableBlock(Table("t", COLUMNS, rows(("a", 1.0), ("b", 2.0)))))
    assert found.of("caption")[0][2] == "tAll rows: problem bowl"
    assert [one[2] for one in found.of("th", scope="col")] == ["optimizer", "train_loss"]
    assert [one[1]["data-name"] for one in found.of("tr") if one[1]] == ["bowl / a", "bowl / b"]


def test_intervals_stand_small_beside_their_number():
    columns = ("optimizer", "gap", "gap_low", "gap_high")
    found = page(TableBlock(Table("t", columns, (("a", 1.0, 0.5, 2.0), ("b", 2.0, 1.0, 3.0)))))
    assert [one[2] for one in found.of("small")] == ["[0.5, 2.0]", "[1.0, 3.0]"]


def test_a_table_without_rows_says_so():
    assert "t: nothing to show." in [one[2] for one in page(TableBlock(Table("t", COLUMNS, ()))).of("p")]
