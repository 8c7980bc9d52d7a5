"""The identity of a cell: what it depends on and what not, and of many cells without doing each one's work again."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from hashlib import sha256
from importlib.metadata import version

import pytest

from optbench import search
from optbench.planning import cell_key, cell_sources, problem_cache
from optbench.planning.jobs import pick_device, plan_jobs, resolve_suite
from optbench.planning.registry import implementations
from optbench.problems.problem import Problem
from optbench.search import file_of
from optbench.store.locations import ROOT
from optbench.store.manifest import TRAINS

STUDY = {
    "problems": ["quadratic[dim=2,3,4,5,6,7,8,9,seed=0,1,2,3,4]"],
    "optimizers": ["adam*", "sgd*", "rmsprop"],
    "learning_rate": "default:3",
    "weight_decay": "0,1e-3",
    "steps": 4,
}


def plan(**asked):
    return plan_jobs(resolve_suite(None, **asked), pick_device("cpu").device_kind)


def by_name(fields):
    return {name: fields[name] for name in sorted(fields)}


def what_is_searched(strategy):
    """What a strategy adds to a key."""
    if strategy == "halving":
        return {"rungs": [1 / 8, 1 / 2]}
    if strategy == "optuna":
        files = [file_of("optuna"), *(file_of(name) for name in ("space", "strategy"))]
        return {"optuna": version("optuna"), "search": cell_sources.combined(map(cell_sources.own_digest, files))}
    return {}


@pytest.mark.parametrize("strategy", ["", "halving", "optuna"])
def test_keys_are_those_made_the_plain_way(strategy, tmp_path, monkeypatch):
    """One text of the cell, of digests, and of versions."""
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    if strategy == "optuna":
        pytest.importorskip("optuna")
    data = tmp_path / "table.csv"
    data.write_text("".join(f"{row},{row * row % 7},{row % 3}\n" for row in range(12)))
    asked = {"problems": [f"linear_regression[data={data}]"], "optimizers": ["sgd", "adam[b1=0.8,0.9]"], "steps": 4}
    jobs = plan(schedule="constant,cosine", batch_size="2,4", **asked)
    assert len(jobs) == 4
    key = cell_key.keyer(implementations(), "a device")
    environment = {name: version(name) for name in TRAINS} | {"device": "a device"}
    problem = cell_sources.problem_files(ROOT / "problems" / "convex" / "linear_regression.py")
    digests = [cell_sources.engine_digest(), cell_sources.combined(map(cell_sources.own_digest, problem))]
    digests.append(sha256(data.read_bytes()).hexdigest())
    for job in jobs:
        cell = replace(job.cell, search=strategy)
        points = json.dumps(sorted(map(by_name, cell.points), key=json.dumps))
        asked = {name: value for name, value in asdict(cell).items() if name != "probes"}
        fields = asked | {"points": sha256(points.encode()).hexdigest()}
        text = json.dumps([fields, digests, environment | what_is_searched(strategy)], sort_keys=True)
        assert key(cell) == sha256(text.encode()).hexdigest()[:24]


def test_key_is_the_same_in_every_process(keys):
    """No hash of Python's own, which differs from process to process."""
    code = """if True:
        from optbench.planning.jobs import pick_device, plan_jobs, resolve_suite
        asked = resolve_suite(None, problems=["quadratic[dim=2]"], optimizers=["sgd"], steps=4, learning_rate="0.1")
        print(plan_jobs(asked, pick_device("cpu").device_kind)[0].key)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert [done.stdout.strip()] == keys()
    assert len(keys()[0]) == 24 and set(keys()[0]) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "asked",
    [
        *({"problems": ["quadratic[dim=3]"]}, {"optimizers": ["adam"]}, {"learning_rate": "0.2"}, {"steps": 5}),
        *({"seeds": 4}, {"report_seeds": 4}, {"seed": 1}, {"dtype": "float64"}, {"weight_decay": "0.1"}),
        *({"decay": "coupled"}, {"schedule": "cosine"}, {"records": 2}, {"probes": ["distance"]}),
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_what_is_asked_is_part_of_the_key(keys, asked):
    assert keys(**asked) != keys()


def test_the_order_in_which_things_are_typed_does_not_matter(keys):
    assert keys(learning_rate="0.1,0.2") == keys(learning_rate="0.2,0.1")
    one, other = keys(optimizers=["adam[b1=0.8,b2=0.9]"]), keys(optimizers=["adam[b2=0.9,b1=0.8]"])
    assert one == other


@pytest.mark.parametrize("name", ["engine_digest", "own_digest", "version"])
def test_code_and_versions_are_part_of_the_key(keys, monkeypatch, name):
    before = keys()
    monkeypatch.setattr(cell_key, name, lambda *given: "other")
    assert keys() != before


def test_a_cell_without_probes_says_and_depends_on_nothing_of_them(keys, monkeypatch):
    (job,) = plan(problems=["quadratic[dim=3]"], optimizers=["sgd"], learning_rate="0.1")
    text = lambda cell: json.loads(cell_key.canonical_text(cell, "points"))  # noqa: E731
    assert "probes" not in text(job.cell) and "probes" not in resolve_suite("quick").model_dump()
    assert text(replace(job.cell, probes=("distance",)))["probes"] == ["distance"]
    before, probed = keys(), keys(probes=["distance"])
    real = cell_sources.own_digest
    probes = cell_sources.probe_files()
    assert all(path.is_file() for path in probes) and not {*probes} & {*cell_sources.engine_files()}
    monkeypatch.setattr(cell_key, "own_digest", lambda path: "other" if path in probes else real(path))
    assert keys() == before and keys(probes=["distance"]) != probed


def test_names_of_probes_may_be_typed_in_any_order_and_twice(keys):
    assert keys(probes=["gradient_norm,distance"]) == keys(probes=["distance", "gradient_norm", "distance"])


@pytest.mark.parametrize(
    ("strategy", "field", "other"),
    [("optuna", "package", "numpy"), ("halving", "rungs", (1 / 4,)), ("halving", "meaning", "another word")],
)
def test_what_a_strategy_does_while_training_is_part_of_the_keys_of_its_cells(monkeypatch, strategy, field, other):
    (job,) = plan(problems=["quadratic[dim=2]"], optimizers=["sgd"], steps=4)
    cells = [job.cell, replace(job.cell, search="halving"), replace(job.cell, search="optuna", budget=3)]
    before = list(map(cell_key.keyer(implementations(), "cpu"), cells))
    real = search.strategies()
    changed = real | {strategy: real[strategy]._replace(**{field: other})}
    monkeypatch.setattr(search, "strategies", lambda: changed)
    after = list(map(cell_key.keyer(implementations(), "cpu"), cells))
    differs = {cell.search for cell, *keys in zip(cells, before, after, strict=True) if len(set(keys)) > 1}
    assert differs == ({strategy} if field != "meaning" else set())


class TestFlags:
    def test_those_that_change_numbers_are_part_of_the_key(self, keys, monkeypatch):
        before = keys()
        monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
        assert keys() != before

    def test_harmless_ones_are_not(self, monkeypatch):
        monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=4 --xla_dump_to=folder")
        assert cell_key.flags() == {}

    def test_the_last_of_several_counts_in_whatever_order(self, monkeypatch):
        monkeypatch.setenv("XLA_FLAGS", "--b=1 --a=2  --b=3")
        one = cell_key.flags()
        monkeypatch.setenv("XLA_FLAGS", "--b=3 --a=2")
        assert one == cell_key.flags() == {"XLA_FLAGS": "--a=2 --b=3"}


def test_a_thousand_cells_read_and_make_everything_once(monkeypatch):
    calls = []

    def counted(module, name):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given: (calls.append(name), real(*given))[1])

    for module, name in ((cell_key, "version"), (cell_key, "points_digest"), (problem_cache, "make_problem")):
        counted(module, name)
    counted(cell_key, "problem_files")
    jobs = plan(**STUDY)
    optimizers = len({job.cell.optimizer for job in jobs})
    assert len(jobs) == 40 * optimizers > 300
    counts = {name: calls.count(name) for name in dict.fromkeys(calls)}
    assert counts == {"version": 4, "points_digest": optimizers, "make_problem": 40, "problem_files": 1}


class TestProblems:
    def test_cells_of_a_problem_share_one_object(self):
        first, second, *_ = plan(**STUDY)
        assert isinstance(first.problem, Problem)
        assert first.problem is second.problem

    def test_few_are_kept(self, monkeypatch):
        made = []
        monkeypatch.setattr(problem_cache, "make_problem", lambda *given: made.append(given) or len(made))
        jobs = plan(**STUDY | {"optimizers": ["sgd"]})
        assert len(made) == 40
        assert jobs[-1].problem == 40 and len(made) == 40
        assert jobs[0].problem == 41 and len(made) == 41

    def test_changed_data_are_not_trained_under_the_old_key(self, tmp_path):
        path = tmp_path / "table.csv"
        path.write_text("".join(f"{row},{row * row % 7},{row % 3}\n" for row in range(12)))
        given = {"problems": [f"linear_regression[data={path}]"], "optimizers": ["sgd"], "steps": 4}
        (job,) = plan(**given)
        everything = implementations()
        make = problem_cache.maker(everything)
        assert isinstance(make(job.cell), Problem)
        path.write_text(path.read_text().replace("11,", "12,"))
        for number in range(problem_cache.KEPT):
            make(plan(**given | {"problems": [f"quadratic[dim={number + 2}]"]})[0].cell)
        assert "a file has changed" in str(make(job.cell))
