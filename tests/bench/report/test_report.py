"""What a report gathers: sentences, sections, machines, and the commands that make it again."""

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("altair")
pytest.importorskip("vl_convert")

from optbench import figures
from optbench.figures.figure import Options
from optbench.report.provenance import commands, machine, provenance
from optbench.report.report import report
from optbench.report.sections import timed_on
from optbench.report.summary import summary
from optbench.store.run import load_stored
from optbench.store.timings import write_timing

LOSSES = {"sgd": (1.5, 1.6, 1.7), "adamw": (1.1, 1.2, 1.3), "muon": (0.1, 0.2, 0.3)}


@pytest.fixture(autouse=True)
def _no_library(monkeypatch):
    """Leave the JavaScript out, which takes three seconds to gather; `tests/browser` runs it."""
    monkeypatch.setattr("optbench.report.report._vega", lambda: "window.vegaEmbed = null;")


@pytest.fixture
def run(handmade, tmp_path):
    """Make a run of three optimizers on two problems, nine seeds each."""

    def make(name="handmade", problems=("bowl", "hill"), only=tuple(LOSSES), **footer):
        for problem in problems:
            for optimizer in only:
                curves = [[3.0, 2.0, end + seed / 100] for seed in (0, 3, 6) for end in LOSSES[optimizer]]
                handmade(optimizer, curves, problem=problem, run=name, **footer)
        return load_stored(tmp_path / "results" / name)

    return make


@pytest.fixture
def timed(timing):
    """Give a cell a timing on a machine: timed(run, optimizer, problem, cpu)."""

    def write(run, optimizer, problem, cpu, seconds=1e-3):
        key = next(c["key"] for c in run.manifest["cells"] if (c["problem"], c["optimizer"]) == (problem, optimizer))
        names = {"key": key, "problem": problem, "optimizer": optimizer}
        where = {"device": {"device": "cpu", "cpu": cpu, "cpu_count": 2}}
        turns = dict.fromkeys(("step_seconds", "gradient_seconds", "sgd_seconds"), [seconds] * 6)
        write_timing(run.folder, timing(**names, **where, **turns))

    return write


def test_sentences(run):
    first, second, third, last = summary(run())
    # Two problems of three optimizers: muon ends lowest on both, on every seed.
    assert first == "muon is the best on all 2 problems; the next, adamw, on none of them."
    assert second.startswith(
        "Mean ranks over 2 problems (batch sizes of one averaged) can't tell any of them apart (Fried"
    )
    assert third == "On a random problem and seed muon is better than adamw in 100 % of cases (100 to 100 %)."
    assert last == "All 6 cells finished, none of 6 trials diverged, and all best settings lie inside their ranges."
    assert summary(run(), brief=True) == [first, third, "All 6 cells finished."]


def test_steps_to_a_target_that_both_reach(run):
    *_, second, _ = summary(run(targets={"train_loss": 2.5}))
    assert second.endswith(", and takes as many gradient evaluations to the target.")


def test_one_problem_is_judged_by_seed(run):
    first, *others = summary(run(problems=("bowl",)))
    assert first == "muon is the best on the one problem; the next, adamw, is significantly behind."
    assert len(others) == 2


def test_one_optimizer_is_alone(run):
    first, *_ = summary(run(only=("sgd",)))
    assert first == "sgd is alone in this run, with a train loss of 1.63 at best, so there is nothing to rank."


def test_edges_failures_and_missing_cells_are_counted(run):
    made = run(at_edge=True)
    (made.folder / "parts" / "hill-sgd-4.parquet").unlink()
    *_, last = summary(load_stored(made.folder))
    assert (
        last.startswith("5 of 6 cells finished, 1 missing")
        and "in 5 of them the best settings lie at the end of a" in last
    )


def test_nothing_finished_is_said(run):
    made = run()
    for part in (made.folder / "parts").iterdir():
        part.unlink()
    text = report([load_stored(made.folder)], Path("report.html"))
    assert "Nothing has finished in this run" in text and "6 of 6 cells are not finished" in text
    assert "optbench run" in text and "<figure" not in text


def test_a_page_has_figures_tables_and_where_they_come_from(run):
    text = report([run()], Path("report.html"))
    for part in ("Results", "Over all problems", "Learning rates", "Where this comes from", "<figure", "<caption>"):
        assert part in text
    assert "vegaEmbed" in text and "optbench report handmade -o report.html" in text


def test_speeds_of_two_machines_never_share_a_table(run, timed):
    made = run()
    for optimizer in LOSSES:
        timed(made, optimizer, "bowl", "fast")
        timed(made, optimizer, "hill", "slow")
    made = load_stored(made.folder)
    assert list(timed_on(made)) == ["cpu, fast, 2 cores", "cpu, slow, 2 cores"]
    for name, part in timed_on(made).items():
        assert {timing.device["cpu"] for timing in part.timings} == {name.split(", ")[1]}
    text = report([made], Path("report.html"))
    assert "timed on 2 machines, which are not compared" in text
    assert "(on cpu, fast, 2 cores)" in text and "(on cpu, slow, 2 cores)" in text
    assert "seconds</option>" not in text


def test_two_runs_are_compared_and_their_speeds_not(run, timed):
    old, new = run("old"), run("new")
    for optimizer in LOSSES:
        timed(old, optimizer, "bowl", "fast")
        timed(new, optimizer, "bowl", "slow")
    text = report([load_stored(old.folder), load_stored(new.folder)], Path("report.html"))
    assert "old:muon against new:muon on 2 problems: equal within 5 % on 2" in text
    assert "Speeds are not compared between runs" in text
    assert "old on cpu, fast, 2 cores; new on cpu, slow, 2 cores" in text


def test_two_runs_with_nothing_in_common(run):
    text = report([run("old", only=("sgd",)), run("new", problems=("cliff",), only=("sgd",))], Path("report.html"))
    assert "old and new are not compared: no problem in common" in text


def test_a_changed_suite_is_written_out_and_a_packaged_one_named(run):
    made = run()
    lines = commands([made], Path("page.html"))
    assert lines[0] == "cat > handmade.toml <<'END'" and 'problems = [{ spec = "quadratic" }]' in lines
    assert lines[-2:] == ["optbench run ./handmade.toml --no-throughput", "optbench report handmade -o page.html"]
    from optbench.request import load_suite

    suite = load_suite("quick").model_dump(mode="json")
    quick = replace(made, folder=Path("results/quick"), manifest=made.manifest | {"suite": suite})
    assert commands([quick], Path("p.html"))[0] == "optbench run quick --no-throughput"
    named = replace(quick, folder=Path("results/my run"))
    assert commands([named], Path("p.html"))[0] == "optbench run quick --name 'my run' --no-throughput"
    tuned = replace(quick, manifest=quick.manifest | {"tuned": {"search": "sobol", "trials": 72, "auto_extend": False}})
    assert commands([tuned], Path("p.html"))[0] == "optbench tune quick --search sobol --trials 72"


def test_the_written_suite_is_the_one_that_was_run(run):
    import tomllib

    from optbench.request import load_suite, parse_suite

    suite = load_suite("landscape").model_dump(mode="json") | {"name": "other"}
    made = replace(run(), manifest=run().manifest | {"suite": suite})
    lines = commands([made], Path("p.html"))
    again = parse_suite(tomllib.loads("\n".join(lines[1 : lines.index("END")])))
    assert again.model_dump(mode="json") == suite


def test_provenance_leaves_out_what_is_not_known(run):
    found = dict(provenance(run()).rows)
    assert found["run"] == "handmade" and found["machine"] == "cpu" and "commit" not in found
    assert machine({"device": "H100", "cpu": "X", "cpu_count": 8, "devices": 2}) == "H100, X, 8 cores, 2 devices"


def test_the_caption_of_speeds_is_made_of_sentences(run, timed):
    made = run()
    timed(made, "sgd", "bowl", "fast")
    caption = figures.kind("throughput").caption(load_stored(made.folder), Options())
    assert caption.endswith(". Run handmade, float32 on cpu.")
