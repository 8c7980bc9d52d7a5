"""Cells on a cluster come to the same as in one process, also where workers die, stop or are the wrong ones."""

import os
import shutil
import signal

import pytest

from optbench.errors import StoreError
from optbench.request import RequestError

SIX = {
    "problems": ["quadratic[dim=3,condition=2]", "quadratic[dim=4,condition=2]"],
    "optimizers": ["sgd", "adam", "lion"],
}
DEAD = "killed its worker 3 times: out of memory, or a crash in compiled code"


def test_every_trial_is_equal_and_a_second_run_keeps_all(tiny, cluster, rows, watch):
    expected = rows(tiny("one", **SIX))
    first, second = watch(), watch()
    run = tiny("many", **SIX, cluster=cluster.address, on_progress=first)
    assert rows(run) == expected
    # One may start again, where its worker was lost: that costs time, and no number.
    assert first.count("finished") == 6 <= first.count("started")
    tiny("many", **SIX, cluster=cluster.address, on_progress=second)
    assert [one.outcome for one in second.seen] == ["kept"] * 6


def test_manifest_names_the_cluster_and_its_machines(tiny, cluster):
    device = tiny(cluster=cluster.address).manifest["device"]
    (machine,) = device["workers"]
    assert (device["cluster"], device["device"], device["devices"]) == (cluster.address, "cpu", 1)
    assert machine["workers"] == 2


def test_a_failed_cell_fails_alone_and_is_tried_again(tiny, cluster, rows, watch, plug, tmp_path):
    mine = plug("mine", "if (HERE / 'broken').exists(): raise ValueError('boom')")
    (tmp_path / "broken").touch()
    first, second = watch(), watch()
    tiny(optimizers=[mine, "sgd"], cluster=cluster.address, on_progress=first)
    assert first.outcomes() == [
        ("mine.py:make", "failed", "ValueError: boom (mine.py line 9)"),
        ("sgd", "finished", ""),
    ]
    (tmp_path / "broken").unlink()
    run = tiny(optimizers=[mine, "sgd"], cluster=cluster.address, on_progress=second)
    assert second.outcomes() == [("mine.py:make", "finished", ""), ("sgd", "kept", "")]
    assert rows(run) == rows(tiny("one", optimizers=[mine, "sgd"]))


def test_a_cell_that_kills_its_worker_runs_elsewhere(tiny, cluster, rows, watch, plug):
    # No constant names the file: then it would be part of the cell's key, and the second worker's cell another one.
    mark = "mark = HERE / str(len('four'))\n"
    once = f"{mark}if not mark.exists():\n    mark.touch()\n    os.kill(os.getpid(), signal.SIGKILL)"
    request = {"optimizers": [plug("once", once), "sgd", "adam"]}
    seen = watch()
    run = tiny(**request, cluster=cluster.address, on_progress=seen)
    assert seen.outcomes() == [("adam", "finished", ""), ("once.py:make", "finished", ""), ("sgd", "finished", "")]
    assert rows(run) == rows(tiny("one", **request))


@pytest.mark.faults
def test_a_cell_that_kills_three_workers_is_an_error_and_the_rest_finish(tiny, cluster, rows, watch, plug):
    seen = watch()
    kills = plug("kills", "os.kill(os.getpid(), signal.SIGKILL)")
    run = tiny(optimizers=[kills, "sgd", "adam", "lion"], cluster=cluster.address, on_progress=seen)
    finished = [(name, "finished", "") for name in ("adam", "lion", "sgd")]
    assert seen.outcomes() == sorted([*finished, ("kills.py:make", "failed", DEAD)])
    assert {trial["message"] for trial in run.trials().to_records() if "kills" in trial["optimizer"]} == {DEAD}
    assert rows(tiny("one", optimizers=["sgd", "adam", "lion"])).items() <= rows(run).items()


@pytest.mark.faults
def test_a_cell_that_allocates_without_end_is_an_error(tiny, own_cluster, watch, plug):
    cluster = own_cluster(2, worker__memory__terminate="0.15")
    seen = watch()
    eats = plug("eats", "import numpy\nheld = []\nwhile True: held.append(numpy.ones(10**7))")
    tiny(optimizers=[eats, "sgd"], cluster=cluster.address, on_progress=seen)
    assert seen.outcomes() == [("eats.py:make", "failed", DEAD), ("sgd", "finished", "")]


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_every_worker_may_die_or_stop_answering(tiny, own_cluster, rows, watch, number):
    """One that says nothing for five seconds is given up; dask allows no less."""
    cluster = own_cluster(2, scheduler__worker_ttl="5s")
    expected = rows(tiny("one", **SIX))
    seen = watch(lambda: cluster.signal_all(number), at=2)
    run = tiny("many", **SIX, cluster=cluster.address, on_progress=seen)
    assert rows(run) == expected
    assert seen.count("finished") == 6


@pytest.mark.faults
def test_a_cell_may_take_so_long_and_no_longer(tiny, cluster, rows, watch, plug):
    seen = watch()
    forever = plug("forever", "while True: pass")
    run = tiny(optimizers=[forever, "sgd"], cluster=cluster.address, cell_timeout=8.0, on_progress=seen)
    assert seen.outcomes() == [("forever.py:make", "failed", "took longer than 8 s"), ("sgd", "finished", "")]
    trials = [trial for trial in run.trials().to_records() if "forever" in trial["optimizer"]]
    assert {trial["status"] for trial in trials} == {"timeout"}
    assert rows(tiny("one", optimizers=["sgd"])).items() <= rows(run).items()


def test_no_cell_begins_after_the_last_minute(tiny, cluster, watch):
    seen = watch()
    run = tiny(**SIX, cluster=cluster.address, max_minutes=1e-9, on_progress=seen)
    assert (seen.seen, run.missing) == ([], 6)


def test_a_folder_that_is_removed_under_way_is_told(tiny, cluster, tmp_path, watch):
    seen = watch(lambda: shutil.rmtree(tmp_path / "results"))
    with pytest.raises(StoreError, match="can't write"):
        tiny(**SIX, cluster=cluster.address, on_progress=seen)


@pytest.mark.faults
def test_timed_cells_name_their_machine(tiny, cluster):
    said: list[str] = []
    run = tiny(optimizers=["sgd", "adam"], cluster=cluster.address, throughput=True, say=said.append)
    machine = {
        name: value for name, value in run.manifest["device"].items() if name not in ("devices", "workers", "cluster")
    }
    assert [timing.outcome for timing in run.timings] == ["finished"] * 2
    assert all(timing.device == machine for timing in run.timings)
    (text,) = [text for text in said if "timing" in text]
    assert text.startswith("timing 2 cells of quadratic[condition=2.0,dim=3] on ")
    again: list[str] = []
    tiny(optimizers=["sgd", "adam"], cluster=cluster.address, throughput=True, say=again.append)
    assert again == []


OLD = """
import importlib.metadata

real = importlib.metadata.version
importlib.metadata.version = lambda name: "0.0.1" if name == "optax" else real(name)
"""


@pytest.fixture
def old_worker(cluster, join, tmp_path):
    """Let a third worker join that has an old optax."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(OLD)
    paths = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    join(cluster.address, 3, env={"PYTHONPATH": paths})


@pytest.mark.faults
def test_workers_of_other_versions_are_left_out_or_refused(tiny, cluster, rows, watch, old_worker):
    said: list[str] = []
    run = tiny("many", **SIX, cluster=cluster.address, say=said.append)
    assert rows(run) == rows(tiny("one", **SIX))
    (line,) = [text for text in said if "left out" in text]
    assert "it has optax 0.0.1 for " in line
    with pytest.raises(RequestError, match=r"cluster: worker tcp://\S+ has optax 0.0.1 for "):
        tiny("other", **SIX, cluster=cluster.address, workers_must_match=True)
