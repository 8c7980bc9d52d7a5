"""`optbench plot`: figures as files, and every mistake as one line."""

import json
import re
from dataclasses import replace
from math import nan
from xml.etree import ElementTree

import pytest

from optbench import figures
from optbench.store.parts import write_part
from optbench.store.timings import write_timing
from optbench.store.trials import read_rows

SVG = "{http://www.w3.org/2000/svg}"
TRIED = {0.1: [[8.0, 4.0, 2.0]] * 2, 0.2: [[8.0, 2.0, 0.5]] * 2, 0.4: [[8.0, nan, nan]] * 2}

DECAYS = {0: {"hyperparameters": {"weight_decay": 0.1}}}


@pytest.fixture
def run(handmade, timing):
    """Two optimizers on two problems at two batch sizes, timed."""
    for problem in ("bowl", "hill"):
        for size in (4, 16):
            for optimizer in ("sgd", "adam"):
                fields = {"problem": problem, "batch_size": size, "examples_per_step": size}
                part = handmade(optimizer, [[8.0, 2.0, 0.5]] * 2, tried=TRIED, points=DECAYS, **fields)
                write_timing(part.path.parents[1], timing(key=part.path.stem, **part.record.names))
    return "handmade"


@pytest.mark.parametrize("kind", figures.names())
def test_every_kind_as_svg(optbench, run, tmp_path, kind):
    said = optbench("plot", run, kind, "--output", "figure.svg")
    assert (said.code, said.err) == (0, "")
    assert said.out.endswith("Run handmade, float32 on cpu.\n") and said.out.count("\n") == 1
    root = ElementTree.parse(tmp_path / "figure.svg").getroot()
    assert root.attrib["width"] == "85.00mm"
    # Sizes in the drawing are points, up to the last few percent of its width.
    scale = 85 / 25.4 * 72 / float(root.attrib["viewBox"].split()[2])
    sizes = [float(text.attrib["font-size"].removesuffix("px")) for text in root.iter(f"{SVG}text") if text.text]
    assert len(sizes) > 5 and min(sizes) * scale >= 6.99
    assert len([*root.iter(f"{SVG}path")]) > 5
    assert not [*root.iter(f"{SVG}image")]


# One kind: what becomes pixels is the SVG of the test above, and each takes half a second.
def test_a_png_has_300_dots_per_inch(optbench, run, tmp_path):
    assert optbench("plot", run, figures.names()[0], "--output", "figure.png", "--width", "60mm").code == 0
    png = (tmp_path / "figure.png").read_bytes()
    assert png[:4] == b"\x89PNG" and abs(int.from_bytes(png[16:20]) - 60 / 25.4 * 300) < 2


def test_a_pdf_has_the_width_that_was_asked_for(optbench, run, tmp_path):
    assert optbench("plot", run, figures.names()[0], "--output", "figure.pdf", "--width", "60mm").code == 0
    pdf = (tmp_path / "figure.pdf").read_bytes()
    box = re.search(rb"/MediaBox *\[([^\]]*)\]", pdf)
    assert pdf[:5] == b"%PDF-" and box
    left, _, right, _ = map(float, box[1].split())
    assert right - left == pytest.approx(60 / 25.4 * 72, abs=0.1)


def test_the_latest_run_and_slices(optbench, run, tmp_path):
    words = "-p bowl --optimizer sgd --x seconds --at-step 10 --seeds 1 --metric train_loss --no-log --width 120mm"
    said = optbench("plot", "curves", "--output", "out/figure.svg", *words.split())
    assert (said.code, said.err) == (0, "")
    assert "Train loss of each tuned optimizer against seconds" in said.out
    assert "(up to step 10, of the first 1 seed)" in said.out
    text = (tmp_path / "out" / "figure.svg").read_text()
    assert "bowl" in text and "hill" not in text and 'width="120.00mm"' in text


def test_diverged_points_are_in_the_file(optbench, run, tmp_path):
    assert optbench("plot", run, "sensitivity", "--output", "figure.svg").code == 0
    # As a cross: two strokes of one path.
    crosses = [
        path
        for path in ElementTree.parse(tmp_path / "figure.svg").iter(f"{SVG}path")
        if path.attrib.get("aria-roledescription") == "point" and path.attrib["d"].count("M") == 2
    ]
    assert len(crosses) == 8


def test_hostile_names_are_text(optbench, handmade, tmp_path):
    names = ["<script>alert(1)</script>", "a[b=0.9].c"]
    for place, name in enumerate(names):
        part = handmade(f"o{place}", [[8.0, 2.0, 0.5]], tried=TRIED, points=DECAYS, batch_size=f"<b>{place}")
        _rename(part, name)
    for kind in ("curves", "convergence", "sensitivity", "grid", "heatmap", "ecdf", "ert"):
        assert optbench("plot", "handmade", kind, "--output", "figure.svg").code == 0
        text = (tmp_path / "figure.svg").read_text()
        root = ElementTree.fromstring(text)
        said = "".join("".join(found.itertext()) for found in root.iter(f"{SVG}text")).replace(" ", "")
        assert "<script" not in text and all(name[:9] in said for name in names), kind


def _rename(part, name):
    """Give a stored cell another optimizer's name, which is in its footer."""
    write_part(part.path.parents[1], part.path.stem, read_rows([part]), replace(part.record, optimizer=name))


class TestMistakes:
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            ("handmade curve --output f.svg", "unknown figure 'curve'; did you mean 'curves'?"),
            ("handmad curves --output f.svg", "no run 'handmad' under results; there are: handmade"),
            (
                "handmade curves --output f.eps",
                "'f.eps' is not accepted; accepted: names that end in .svg, .pdf or .png",
            ),
            ("handmade curves --output f.svg --width 1mm", "width: '1mm' is not accepted; accepted: 50mm to 1000mm"),
            ("handmade curves --output f.svg --width wide", "width: 'wide' is not accepted"),
            ("handmade curves --output f.svg --x step", "steps"),
            ("handmade curves --output f.svg --metric loss", "no finished cell has loss"),
            (
                "handmade ranks --output f.svg --metric train_loss",
                "metric: not accepted for ranks; accepted for curves, conv",
            ),
            (
                "handmade budget --output f.svg --x examples",
                "x: not accepted for budget; accepted for curves, grid, ranks, profile, ecdf, ert",
            ),
            ("handmade heatmap --output f.svg --x gradients", "x: not accepted for heatmap; accepted for curves"),
            ("handmade curves --output f.svg --seeds 0", "seeds: 0 is not accepted; accepted: integers >= 1"),
            ("handmade curves --output f.svg --at-step -1", "at_step: -1 is not accepted"),
            ("handmade curves --output f.svg --target nan", "target: nan is not accepted"),
            ("handmade curves --output f.svg -p valley", "unknown problem 'valley'"),
            ("handmade curves --output f.svg --optimizer sdg", "did you mean 'sgd'?"),
            ("handmade batch-scaling --output f.svg", "no problem with a target was run at several batch sizes"),
            ("handmade throughput --output f.svg", "no cell is timed; optbench throughput times them"),
            ("handmade curves --output file/f.svg", "can't write file/f.svg: "),
            ("handmade curves --output folder.svg", "can't write folder.svg: Is a directory"),
            ("handmade curves", "-o"),
        ],
    )
    def test_is_one_line(self, optbench, handmade, tmp_path, words, message):
        handmade("sgd", [[3.0, 2.0, 1.0]])
        (tmp_path / "file").write_text("")
        (tmp_path / "folder.svg").mkdir()
        said = optbench("plot", *words.split())
        assert said.code == 2 and said.out == "" and said.err.count("\n") == 1
        assert message in said.err
        assert {path.name for path in tmp_path.iterdir()} == {"file", "folder.svg", "results"}

    def test_a_run_without_finished_cells(self, optbench, handmade):
        handmade("sgd", [], select=[], outcome="failed", message="boom")
        said = optbench("plot", "handmade", "curves", "--output", "f.svg")
        assert (said.code, said.err) == (2, "optbench: handmade: no cell has finished, so there is nothing to draw\n")

    def test_a_run_of_a_newer_schema(self, optbench, handmade, tmp_path):
        handmade("sgd", [[3.0, 2.0, 1.0]])
        path = tmp_path / "results" / "handmade" / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
        said = optbench("plot", "handmade", "curves", "--output", "f.svg")
        assert said.code == 2 and "has schema version 99; this optbench reads 1" in said.err

    def test_a_run_that_is_not_there_yet(self, optbench):
        said = optbench("plot", "curves", "--output", "f.svg")
        assert said.code == 2 and "make one: optbench run smoke" in said.err

    def test_without_the_extra(self, optbench, handmade, monkeypatch):
        handmade("sgd", [[3.0, 2.0, 1.0]])
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        said = optbench("plot", "handmade", "curves", "--output", "f.svg")
        assert said.code == 2 and "pip install 'optbench[report]'" in said.err


def test_help_names_every_kind(optbench):
    said = " ".join(optbench("plot", "--help").out.split())
    assert [kind for kind in figures.names() if kind not in said] == []
