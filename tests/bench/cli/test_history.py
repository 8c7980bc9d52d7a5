"""`optbench history`: add, list, show, plot, compare, check and prune."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from optbench.history import schema
from optbench.history.entries import write_entry


@pytest.fixture
def several(optbench, about, quality, seconds):
    """Keep five entries of one version and one that is slower and worse."""
    for number in range(6):
        slow, key = (1.3, "new") if number == 5 else (1 + 0.01 * (number % 2), "k")
        rows = [quality([0.1 * (1 + seed) * (1.2 if number == 5 else 1) for seed in range(8)], key=key)]
        rows += [seconds(slow, key=key), quality([1.0], "train_loss", problem="bowl", key=key)]
        write_entry("results/history", about(number, label=f"v{number}"), rows)
    return optbench


def test_a_run_is_added_once(optbench, handmade):
    handmade("sgd", [[3.0, 2.0, 1.5]] * 3)
    said = optbench("history", "add", "handmade", "--label", "first")
    assert said.code == 0 and re.fullmatch(r"handmade: entry [0-9a-f]{12}, 3 rows\n", said.out)
    assert "no cell is timed" in said.err
    assert "it was there already" in optbench("history", "add").out
    assert len(list(Path("results/history").iterdir())) == 1
    (row,) = json.loads(optbench("history", "list", "--format", "json").out)
    assert (row["label"], row["suite"], row["rows"]) == ("first", "handmade", 3)


def test_the_latest_run_is_never_the_history(optbench, handmade):
    handmade("sgd", [[3.0, 2.0, 1.5]])
    optbench("history", "add")
    assert "handmade" in optbench("table").out


def test_show_tells_series_and_of_one_alone_its_values(several):
    said = several("history", "show")
    assert said.code == 0 and "3 series over time" in said.out and "▁" in said.out
    one = several("history", "show", "-p", "mlp", "--measure", "step_seconds").out
    assert "step_seconds of adamw on mlp" in one and "v5" in one
    newest = several("history", "show", "--measure", "step_seconds", "--last", "2").out
    assert "v4" in newest and "v3" not in newest


def test_compare_puts_entries_side_by_side(several):
    rows = json.loads(several("history", "compare", "v4", "--format", "json").out)
    assert [row["verdict"] for row in rows] == ["worse", "worse", "same"]
    assert [row["ratio"] for row in rows][:2] == sorted((row["ratio"] for row in rows[:2]), reverse=True)
    changed = json.loads(several("history", "compare", "v4", "v5", "--only-changed", "--format", "json").out)
    assert len(changed) == 2
    assert json.loads(several("history", "compare", "v3", "v4", "--only-worse", "--format", "json").out) == []


def test_check_fails_with_a_list_of_what_got_worse(several):
    said = several("history", "check")
    assert said.code == 1 and said.err == ""
    assert "2 of 3 measured values got worse" in said.out.splitlines()[0]
    assert "Worse (2)" in said.out and "compared with 5 entries" in said.out
    assert several("history", "check", "--quality", "0.5", "--speed", "0.5").code == 0
    assert several("history", "check", "--baseline", "v5").code == 2


def test_check_writes_a_comment(several):
    said = several("history", "check", "--markdown")
    assert said.code == 1 and said.out.startswith("### optbench: 2026-01-01 v5")
    assert "| mlp " in said.out and "beyond the noise" in said.out and "Some CPU" in said.out


def test_plot_draws(several):
    pytest.importorskip("vl_convert")
    said = several("history", "plot", "--output", "figure.svg", "--measure", "step_seconds")
    assert said.code == 0 and "first entry after a change of level" in " ".join(said.out.split())
    svg = Path("figure.svg").read_text()
    assert "step seconds" in svg and svg.count("mark-line") == 1
    assert several("history", "plot", "--output", "figure.png").code == 0


def test_prune_keeps_what_is_named(several):
    assert "3 of 6 entries would go" in several("history", "prune", "--keep", "v0", "--last", "2", "--dry-run").out
    assert "3 of 6 entries deleted" in several("history", "prune", "--keep", "v0", "--last", "2").out
    found = json.loads(several("history", "list", "--format", "json").out)
    assert [row["label"] for row in found] == ["v0", "v4", "v5"]


def test_a_torn_part_is_named(several):
    torn = sorted(Path("results/history").iterdir())[0]
    torn.write_text("torn")
    for words in (["list"], ["show"], ["check"]):
        assert f"{torn.name} is damaged and left out" in several("history", *words).out


MISTAKES = {
    "unknown-commit": (["compare", "deadbeef"], "no entry 'deadbeef' in results/history"),
    "unknown-baseline": (["check", "--baseline", "v9"], "did you mean 'v"),
    "nothing-fits": (["show", "-p", "nosuch"], "nothing in results/history fits problem nosuch"),
    "plot-nothing-fits": (
        ["plot", "--output", "x.svg", "-p", "nosuch"],
        "nothing in results/history fits problem nosuch",
    ),
    "plot-suffix": (["plot", "--output", "x.eps"], "names that end in .svg, .pdf or .png"),
    "window": (["check", "--window", "0"], "window: 0 is not accepted"),
    "newest": (["check", "--newest", "0"], "newest: 0 is not accepted"),
    "newest-all": (["check", "--newest", "9"], "no more than 6 entries of suite smoke"),
    "last": (["show", "--last", "0"], "last: 0 is not accepted"),
    "quality": (["check", "--quality", "-1"], "quality: -1"),
    "speed-nan": (["check", "--speed", "nan"], "speed: nan"),
    "prune-all": (["prune"], "prune needs what to keep"),
    "no-run": (["add", "nosuch"], "no run 'nosuch'"),
    "scheme": (["list", "--history", "nosuch://x/y"], "can't open nosuch://x/y"),
    "empty": (["check", "--history", "nowhere"], "no history in nowhere"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_one_line(several, mistake):
    words, expected = MISTAKES[mistake]
    said = several("history", *words)
    assert (said.code, said.out) == (2, "")
    assert said.err.count("\n") == 1 and expected in said.err


def test_a_newer_history_is_refused(several, about, quality, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(schema, "VERSION", schema.VERSION + 1)
        write_entry("results/history", about(9), [quality([1.0])])
    for words in (["list"], ["show"], ["check"], ["compare", "v1"]):
        said = several("history", *words)
        assert said.code == 2 and said.err.count("\n") == 1 and "history schema 2" in said.err


def test_an_unwritable_place_is_one_line(optbench, handmade, tmp_path):
    handmade("sgd", [[3.0, 2.0, 1.5]])
    (tmp_path / "file").write_text("")
    said = optbench("history", "add", "--history", "file/history")
    assert said.code == 2 and said.err.count("\n") <= 2 and "can't write" in said.err


def test_the_page_on_continuous_integration_holds_the_workflow_of_this_project():
    root = Path(__file__).parents[3]
    assert (root / ".github" / "workflows" / "benchmarks.yml").read_text() in (
        root / "docs" / "continuous_integration.md"
    ).read_text()


def test_checking_draws_nothing(several):
    """What draws takes a second to load, and a check runs on every change."""
    drawing = ("altair", "vl_convert", "optbench.figures", "optbench.history.figure", "optbench.present.charts")
    loaded = f"[name for name in sys.modules if name.startswith({drawing})]"
    for words in (["check"], ["list"], ["compare", "v1"], ["show"], ["prune", "--keep", "v0"]):
        code = f"import sys\nfrom optbench.cli import main\nmain({['history', *words]!r})\nprint('loaded:', {loaded})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.stdout.rpartition("loaded: ")[2] == "[]\n", (words, done.stdout, done.stderr)


@pytest.mark.parametrize(
    "words", [["history", "report", "--output", "a.html"], ["report", "--output", "a.html"]], ids=str
)
def test_a_history_has_a_page_without_a_run(several, tmp_path, words):
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
    said = several(*words, "--history", "results/history")
    assert said.code == 0 and said.out.startswith("a.html: ")
    page = (tmp_path / "a.html").read_text()
    assert "optbench: history" in page and "Suite smoke" in page


def test_seconds_of_zero_and_nan_are_told_in_every_command(optbench, about, seconds):
    from optbench.history.entries import write_entry

    for number, value in enumerate([0.0, 1e-9, float("nan"), 1e-3]):
        row = seconds(value, "seconds", problem="t.py::test_a", optimizer="", batch_size="", dtype="", settings="")
        write_entry("results/history", about(number), [row])
        check = optbench("history", "check")
        assert check.code == (2 if number == 0 else 0)
    compared = optbench("history", "compare", "latest~3", "latest")
    assert compared.code == 0 and "measured as zero before, which has no ratio" in " ".join(compared.out.split())
    for words in (["show"], ["list"], ["export", "latest~1", "--format", "bencher"]):
        assert optbench("history", *words).code == 0
