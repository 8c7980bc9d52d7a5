"""Keys of many cells: what they were when each was made alone, without doing each one's work again."""

import json
from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import version

import pytest

from optbench.planning import cell_key, problem_cache, source_digest
from optbench.planning.jobs import pick_device, plan_jobs, resolve_suite
from optbench.planning.registry import known, plugin_file
from optbench.problems.problem import Problem
from optbench.request import canonical
from optbench.store import locations

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


def slow_key(job, sources):
    """Make a key the plain way: one JSON text of the cell, its files and its environment."""
    cell = asdict(job.cell)
    cell["points"] = sorted(map(by_name, cell["points"]), key=json.dumps)
    digests = sorted({(path.name, sha256(path.read_bytes()).hexdigest()) for path in sources})
    environment = {name: version(name) for name in ("jax", "jaxlib", "optax", "flax")}
    environment["device"] = pick_device("cpu").device_kind
    text = json.dumps([cell, digests, environment], sort_keys=True, allow_nan=False)
    return sha256(text.encode()).hexdigest()[:24]


@pytest.mark.parametrize("optimizers", [["sgd", "adam[b1=0.8,0.9,nesterov=true]"], ["plugin"]], ids=["ours", "plugin"])
def test_keys_are_those_made_the_plain_way(tmp_path, plugin, optimizers):
    data = tmp_path / "table.csv"
    data.write_text("".join(f"{row},{row * row % 7},{row % 3}\n" for row in range(12)))
    mine = plugin("import optax\ndef make(learning_rate):\n    return optax.sgd(learning_rate)\n")
    optimizers = [mine if name == "plugin" else name for name in optimizers]
    file = locations.ROOT / "problems" / "convex" / "linear_regression.py"
    sources = {*source_digest.engine_sources(), *source_digest.problem_sources(file), data}
    sources |= {plugin_file(mine)} if mine in optimizers else set()
    asked = {"problems": [f"linear_regression[data={data}]"], "optimizers": optimizers, "steps": 4, "batch_size": "2,4"}
    jobs = plan(schedule="constant,cosine", **asked)
    assert len(jobs) == (2 if mine in optimizers else 4)
    assert [job.key for job in jobs] == [slow_key(job, sources) for job in jobs]


def test_canonical_text_is_that_of_the_canonical_cell():
    (job, *_) = plan(**STUDY)
    assert cell_key.canonical_text(job.cell, cell_key.points_text(job.cell.points)) == source_digest.to_text(
        canonical(job.cell)
    )


def test_a_thousand_cells_read_and_make_everything_once(monkeypatch):
    calls = []

    def counted(module, name):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given: (calls.append(name), real(*given))[1])

    for module, name in ((cell_key, "version"), (cell_key, "points_text"), (problem_cache, "make_problem")):
        counted(module, name)
    counted(source_digest, "problem_sources")
    jobs = plan(**STUDY)
    optimizers = len({job.cell.optimizer for job in jobs})
    assert len(jobs) == 40 * optimizers > 300
    counts = {name: calls.count(name) for name in dict.fromkeys(calls)}
    assert counts == {"version": 4, "points_text": optimizers, "make_problem": 40, "problem_sources": 1}


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
        everything = known()
        make = problem_cache.maker(everything)
        assert isinstance(make(job.cell), Problem)
        path.write_text(path.read_text().replace("11,", "12,"))
        for number in range(problem_cache.KEPT):
            make(plan(**given | {"problems": [f"quadratic[dim={number + 2}]"]})[0].cell)
        assert "a file has changed" in str(make(job.cell))
