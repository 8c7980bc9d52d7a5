"""What the words of a comparison name, what can't be compared, and what is run first."""

import json
import os

import pytest

from optbench.analyse.comparison import Rules
from optbench.compare.operands import find_operands, plugin_suite
from optbench.request import RequestError, Suite
from optbench.runner import local
from optbench.runner.compare import compare_optimizers
from optbench.runner.tune import tune


def ends(*losses):
    return [[8.0, 8.0, float(loss)] for loss in losses]


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


@pytest.fixture
def store(handmade, results):
    """Store a run whose cells end as told: store(run, sgd=[...], ..., suite={...}, device=..., **footer)."""
    count = 0

    def write(run, suite=None, device="cpu", problem="bowl", footer=None, **optimizers):
        nonlocal count
        for name, losses in optimizers.items():
            handmade(name, ends(*losses), run=run, problem=problem, **footer or {})
        path, count = results / run / "manifest.json", count + 1
        manifest = json.loads(path.read_text())
        manifest["suite"] |= {"dtype": "float32", "decay": "decoupled", "seed": 0} | (suite or {})
        manifest["device"]["device"] = device
        path.write_text(json.dumps(manifest))
        # Runs of one second are told apart by their manifests' times.
        os.utime(path, (count, count))

    return write


@pytest.fixture
def compare(results):
    return lambda *words, anyway=False, **rules: compare_optimizers(
        words, Rules(**rules), results=results, anyway=anyway
    )


class TestOperands:
    @pytest.fixture
    def named(self, store, results):
        store("old", sgd=[1], adam=[2])
        store("new", sgd=[3], lion=[4])
        return lambda *words: [
            (one.run.folder.name if one.run else None, one.optimizer) for one in find_operands(words, results)
        ]

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (("sgd", "lion"), [("new", "sgd"), ("new", "lion")]),
            (("sgd", "adam"), [("old", "sgd"), ("old", "adam")]),
            (("lion", "adam"), [("new", "lion"), ("old", "adam")]),
            (("sgd", "old:sgd"), [("new", "sgd"), ("old", "sgd")]),
            (("old", "new"), [("old", None), ("new", None)]),
            (("latest:sgd", "old:sgd"), [("new", "sgd"), ("old", "sgd")]),
            (("./mine.py:make", "sgd"), [(None, "./mine.py:make"), ("new", "sgd")]),
            (("./mine.py:make[b=0.9]", "adam"), [(None, "./mine.py:make[b=0.9]"), ("old", "adam")]),
            (("optax:lion", "lion"), [(None, "optax:lion"), ("new", "lion")]),
        ],
        ids=["newest", "newest-with-both", "apart", "run-and-name", "runs", "latest", "file", "with", "module"],
    )
    def test_are_found(self, named, words, expected):
        assert named(*words) == expected

    def test_a_run_without_finished_cells_is_passed_over(self, store, results):
        """Such as one that was only timed, or failed."""
        store("done", sgd=[1], adam=[2])
        store("timed", sgd=[1], adam=[2])
        store("half", sgd=[1], adam=[2])
        for path in (results / "timed" / "parts").glob("*.parquet"):
            path.unlink()
        (results / "half" / "parts" / "bowl-adam-4.parquet").unlink()
        assert [one.run.folder.name for one in find_operands(["sgd", "adam"], results)] == ["done", "done"]
        assert [one.run.folder.name for one in find_operands(["sgd", "half:sgd"], results)] == ["half", "half"]

    def test_a_plugin_is_always_to_run(self, store, results, tmp_path, monkeypatch):
        """What is stored of it may be of other code; what is stored of a named run is asked for by its name."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "mine.py").write_text("def make(learning_rate): pass\n")
        store("both", **{"sgd": [1], "./mine.py:make": [2], "mine:make": [3]})
        store("newer", sgd=[1])
        for word in ("./mine.py:make", "mine:make"):
            mine, sgd = find_operands([word, "sgd"], results)
            assert (mine.run, [folder.name for folder in mine.folders]) == (None, ["both"])
            assert sgd.run.folder.name == "both"
            (named,) = find_operands([f"both:{word}"], results)
            assert named.run.folder.name == "both" and named.optimizer == word

    def test_by_a_path(self, named, results):
        assert named(f"{results}/old:adam", f"{results}/new") == [("old", "adam"), ("new", None)]

    def test_may_be_plugins_of_a_run(self, store, results):
        store("mine", **{"my_package:make": [1]})
        found = find_operands(["mine:my_package:make"], results)
        assert (found[0].run.folder.name, found[0].optimizer) == ("mine", "my_package:make")

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("sgd", "adm"), "'adm' is neither an optimizer .* did you mean 'adam'"),
            (("sgd", "old:adm"), "run 'old' has no optimizer 'adm'; did you mean 'adam'"),
            (("sgd", "nowhere:adam"), "'nowhere:adam' is neither"),
            (("sgd",), "two are needed"),
            (("sgd", "sgd"), "are the same cells"),
            (("old", "old"), "are the same cells"),
            (("./mine.py:make", "./yours.py:make"), "has nothing stored to be compared with"),
        ],
        ids=["name", "name-in-a-run", "run", "one", "itself", "run-itself", "plugins-alone"],
    )
    def test_mistakes(self, named, compare, words, said):
        with pytest.raises(RequestError, match=said):
            compare(*words)

    def test_before_any_run(self, results, compare):
        with pytest.raises(RequestError, match="make one: optbench run quick"):
            compare("sgd", "adam")


class TestPairs:
    def test_the_first_with_each_other(self, store, compare):
        store("run", a=[1], b=[2], c=[3])
        rows = compare("a", "b", "c").per_problem.to_records()
        assert [(row["optimizer"], row["reference"]) for row in rows] == [("a", "b"), ("a", "c")]

    def test_all_that_two_runs_share(self, store, compare):
        store("old", sgd=[1], adam=[2])
        store("new", sgd=[3], lion=[4], adam=[5])
        rows = compare("new", "old").per_problem.to_records()
        assert [(row["optimizer"], row["reference"]) for row in rows] == [
            ("new:adam", "old:adam"),
            ("new:sgd", "old:sgd"),
        ]

    def test_one_with_a_whole_run(self, store, compare):
        store("old", sgd=[1], adam=[2])
        store("new", lion=[3], sgd=[4])
        assert [row["reference"] for row in compare("lion", "old").per_problem.to_records()] == ["adam", "sgd"]
        assert [row["reference"] for row in compare("new:sgd", "old").per_problem.to_records()] == ["old:sgd"]

    def test_nothing_in_common(self, store, compare):
        store("old", sgd=[1])
        store("new", lion=[3])
        with pytest.raises(RequestError, match="old and new have no optimizer in common"):
            compare("old", "new")


#: What the second run is stored with -> what the refusal says.
UNLIKE = {
    "dtype": ({"suite": {"dtype": "float64"}}, "dtype float32 against float64"),
    "decay": ({"suite": {"decay": "coupled"}}, "decay decoupled against coupled"),
    "seed": ({"suite": {"seed": 3}}, "seed 0 against 3"),
    "points": ({"footer": {"num_points": 8}}, "points tried 1 against 8 on bowl at 4"),
    "seeds": ({"footer": {"seeds": 5}}, "seeds 1 against 5"),
    "steps": ({"footer": {"steps": 50}}, "steps 20 against 50"),
    "target": ({"footer": {"targets": {"train_loss": 2.0}}}, "targets .*1.0.* against .*2.0"),
    "optimum": ({"footer": {"optimum": 0.5}}, "optimum None against 0.5"),
    "start": ({"footer": {"trial": {"train_loss": [9.0, 8.0, 1.0]}}}, "the same seeds start from different losses"),
    "phase": ({"footer": {"report_seeds": 0}}, "report seeds against selection seeds"),
}


@pytest.mark.parametrize("case", UNLIKE)
def test_refuses_what_is_not_alike(store, compare, case):
    given, said = UNLIKE[case]
    store("here", sgd=[1, 2])
    store("there", sgd=[1, 2], **given)
    with pytest.raises(RequestError, match=f"here:sgd and there:sgd can't be compared: {said}.*--anyway"):
        compare("here:sgd", "there:sgd")


@pytest.mark.parametrize("case", [case for case in UNLIKE if case != "phase"])
def test_compares_anyway_and_says_what_differs(store, compare, case):
    given, said = UNLIKE[case]
    store("here", sgd=[1, 2])
    store("there", sgd=[1, 2], **given)
    notes = "\n".join(compare("here:sgd", "there:sgd", anyway=True).per_problem.notes)
    assert "compared all the same, but " in notes and said.partition(" ")[0] in notes


def test_remarks_on_what_may_matter(store, compare):
    store("here", sgd=[1, 2])
    store("there", sgd=[1, 2], device="gpu")
    assert "device cpu against gpu" in compare("here", "there").per_problem.notes


def test_a_budget_makes_unequal_grids_comparable(store, compare, handmade):
    store("run", sgd=[1])
    for name, num in (("a", 2), ("b", 5)):
        handmade(name, ends(0), run="run", tried={0.1 * k: ends(k) for k in range(1, num + 1)})
    with pytest.raises(RequestError, match="points tried 2 against 5"):
        compare("a", "b")
    (row,) = compare("a", "b", budget=1).per_problem.to_records()
    assert (row["value"], row["reference_value"]) == (1.5, 3)
    with pytest.raises(RequestError, match="budget: 3 is not accepted; bowl / a has 2 configurations"):
        compare("a", "b", budget=3)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"metric": "los"}, "unknown metric 'los'"),
        ({"budget": 0}, "budget: 0 is not accepted"),
        ({"budget": 1, "metric": "steps_to_target"}, "with losses and accuracy"),
    ],
    ids=["metric", "budget", "budget-of-steps"],
)
def test_rules_that_mean_nothing(store, compare, rules, said):
    store("run", a=[1], b=[2])
    with pytest.raises(RequestError, match=said):
        compare("a", "b", **rules)


def test_cells_that_failed_are_named(store, compare):
    store("run", a=[1])
    store("run", footer={"outcome": "failed", "message": "ValueError: boom"}, b=[])
    with pytest.raises(RequestError, match="run:b has no finished cell: ValueError: boom"):
        compare("a", "b")


class TestTimes:
    @pytest.fixture
    def timed(self, store, timing, results):
        from optbench.store.timings import write_timing

        def write(run, optimizer, seconds, machine):
            names = {"key": f"bowl-{optimizer}-4", "optimizer": optimizer}
            where = {"device": "cpu", "cpu": machine}
            write_timing(results / run, timing(**names, device=where, step_seconds=[seconds] * 6))

        store("here", a=[1, 1], b=[1, 1])
        store("there", b=[1, 1])
        write("here", "a", 0.5, "x")
        write("here", "b", 0.25, "x")
        write("there", "b", 0.25, "y")
        return write

    def test_of_one_machine(self, timed, compare):
        (row,) = compare("here:a", "here:b", metric="time_to_target").per_problem.to_records()
        assert (row["value"], row["reference_value"]) == (10, 5)

    def test_of_two_are_never_mixed_in_silence(self, timed, compare):
        with pytest.raises(RequestError, match="machine cpu, x against cpu, y on bowl at 4"):
            compare("here:a", "there:b", metric="time_to_target")
        assert compare("here:a", "there:b", metric="steps_to_target")


class TestPlugin:
    def test_is_asked_what_the_other_was(self, store, results):
        asked = {
            "name": "quick",
            "problems": [{"spec": "quadratic", "steps": 9, "epochs": None}],
            "optimizers": [{"spec": "sgd", "learning_rate": "0.1,0.2"}, {"spec": "adam[b1=0.8]"}],
            "learning_rate": "default:8",
            "seeds": 2,
            "report_seeds": 10,
            "steps": None,
            "dtype": "float32",
        }
        store("run", suite=asked, sgd=[1])
        path = results / "run" / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["suite"] = asked
        path.write_text(json.dumps(manifest))
        suite = plugin_suite("./my_opt.py:make", find_operands(["sgd"], results)[0])
        expected = {"problems": asked["problems"][:1], "learning_rate": "default:8", "seeds": 2}
        expected |= {"optimizers": [{"spec": "./my_opt.py:make", "learning_rate": "0.1,0.2", "like": "sgd"}]}
        # What is stored is of before there were studies.
        expected |= {"studies": 1, "select_by": ["train_loss"]}
        assert suite == Suite(name="my_opt-on-quick", **expected)

    def test_is_run_first(self, tiny, plugin, tmp_path):
        """Plain descent by another name is equal on every seed."""
        tiny("baseline", report_seeds=6)
        text = plugin("import optax\ndef make(learning_rate): return optax.sgd(learning_rate)")
        compared = compare_optimizers([text, "sgd"], results=tmp_path / "results")
        (row,) = compared.per_problem.to_records()
        assert (row["optimizer"], row["reference"], row["num_seeds"]) == (text, "sgd", 6)
        assert (row["verdict"], row["difference"]) == ("equal", 0)
        assert not compared.worse
        again = compare_optimizers([text, "sgd"], results=tmp_path / "results")
        assert again.per_problem.to_records() == [row]

    def test_is_tuned_over_the_learning_rates_of_the_other(self, tiny, plugin, tmp_path):
        """A copy of adamw is adamw, whatever range a plug-in has by default."""
        tiny("baseline", optimizers=["adamw"], learning_rate="default:3", weight_decay="default:2", report_seeds=6)
        code = """
        import optax
        def make(learning_rate, weight_decay): return optax.adamw(learning_rate, weight_decay=weight_decay)
        """
        text = plugin(code)
        compared = compare_optimizers([text, "adamw"], results=tmp_path / "results")
        (row,) = compared.per_problem.to_records()
        assert (row["verdict"], row["difference"]) == ("equal", 0)
        assert "other values" not in compared.per_problem.title

    def test_is_tuned_over_the_grid_that_tuning_made_of_the_range(self, plugin, tmp_path):
        asked = {"problems": ["quadratic[dim=3,condition=2]"], "optimizers": ["adamw"], "steps": 4, "records": 2}
        tune(trials=6, seeds=1, report_seeds=6, results=tmp_path / "results", name="tuned", **asked)
        text = plugin("import optax\ndef make(learning_rate): return optax.adam(learning_rate)")
        (row,) = compare_optimizers([text, "adamw"], results=tmp_path / "results").per_problem.to_records()
        assert (row["verdict"], row["difference"]) == ("equal", 0)

    def test_other_learning_rates_are_named_above_the_table(self, tiny, tmp_path):
        tiny("both", optimizers=["sgd", "adam"], learning_rate="default:4", report_seeds=6)
        title = compare_optimizers(["sgd", "adam"], results=tmp_path / "results").per_problem.title
        assert (
            "sgd was tuned over other values than adam: learning_rate 0.01 to 10 in 4 against 0.0001 to 0.3 in 4"
            in title
        )

    def test_an_edited_one_is_run_anew(self, tiny, plugin, tmp_path):
        tiny("baseline", report_seeds=6)
        code = "import optax, steps\ndef make(learning_rate): return optax.sgd(steps.SCALE * learning_rate)"
        (tmp_path / "steps.py").write_text("SCALE = 1.0\n")
        words = [plugin(code), "sgd"]
        compared = [compare_optimizers(words, results=tmp_path / "results").per_problem.to_records()[0]]
        for scale in (0.5, 1.0):
            (tmp_path / "steps.py").write_text(f"SCALE = {scale}\n")
            compared += compare_optimizers(words, results=tmp_path / "results").per_problem.to_records()
        assert compared[0]["difference"] == 0 != compared[1]["difference"]
        assert compared[2] == compared[0]

    def test_finished_cells_of_any_run_are_kept(self, tiny, plugin, tmp_path, monkeypatch):
        text = plugin("import optax\ndef make(learning_rate): return optax.sgd(learning_rate)")
        tiny("both", optimizers=["sgd", text], report_seeds=6)
        monkeypatch.setattr(local, "compile_job", None)
        (row,) = compare_optimizers([text, "sgd"], results=tmp_path / "results").per_problem.to_records()
        assert row["difference"] == 0
        # Of two plug-ins the run that names them says what is asked.
        (row,) = compare_optimizers([text, "both:sgd"], results=tmp_path / "results").per_problem.to_records()
        assert row["difference"] == 0


@pytest.mark.parametrize(
    ("words", "title"),
    [
        (("sgd", "adam"), "sgd against adam (run here)"),
        (("sgd", "adam", "lion"), "sgd against adam and lion (run here)"),
        (("sgd", "adam", "lion", "muon", "sm3"), "4 pairs of optimizers (run here)"),
        (("here:sgd", "there:adam"), "sgd against adam (runs here, there)"),
    ],
    ids=["one", "two", "many", "two-runs"],
)
def test_the_title_says_what_is_compared(store, compare, words, title):
    store("there", adam=[2] * 6)
    store("here", **{name: [number] * 6 for number, name in enumerate(("sgd", "adam", "lion", "muon", "sm3"), 1)})
    assert compare(*words).per_problem.title == title


def test_worse_anywhere_is_told(store, compare):
    store("run", a=[1] * 10, b=[2] * 10)
    assert compare("b", "a").worse and not compare("a", "b").worse
