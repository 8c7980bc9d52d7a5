"""Workers write their parts to the results themselves: in object storage, or in a folder that all of them see."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client

from bench.cluster import places
from bench.request import RequestError
from bench.store.places import children, place


@pytest.fixture
def local(monkeypatch):
    """Start a worker here that knows the bucket, and return its scheduler's address."""

    def start() -> Iterator[str]:
        with places.open_place("local:1", "cpu") as connect, connect() as client:
            client.wait_for_workers(1, timeout=60)
            yield client.scheduler_info()["address"]

    yield from start()


@pytest.mark.faults
def test_parts_in_object_storage_are_equal_and_kept(tiny, bucket, rows, watch, local):
    results = f"{bucket}/results"
    first, second = watch(), watch()
    request = {"optimizers": ["sgd", "adam"], "throughput": True}
    run = tiny("many", **request, results=results, cluster=local, on_progress=first)
    assert (first.count("finished"), len(run.timings)) == (2, 2)
    assert rows(run) == rows(tiny("one", optimizers=["sgd", "adam"]))
    assert [path.name for path in children(place(results) / "many") if path.name.endswith(".tmp")] == []
    tiny("many", **request, results=results, cluster=local, on_progress=second)
    assert [one.outcome for one in second.seen] == ["kept"] * 2


@pytest.mark.faults
def test_object_storage_that_workers_cannot_reach_is_told(tiny, bucket, local, monkeypatch):
    """The run's own process knows another endpoint than they do."""


def _can_hide() -> bool:
    command = ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.fixture
def blind(tmp_path) -> Iterator[str]:
    """Start a worker that has another disk where the results are, and return its scheduler's address."""
    if not _can_hide():
        pytest.skip("needs to mount a disk for one process alone")
    (tmp_path / "results").mkdir()
    hide = 'mount -t tmpfs none "$0" && exec "$@"'
    with places.open_place("local:1", "cpu") as connect, connect() as client:
        address = client.scheduler_info()["address"]
        client.wait_for_workers(1, timeout=60)
        client.retire_workers()
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
        command = ["unshare", "-m", "sh", "-c", hide, str(tmp_path / "results"), *worker, "--resources", "CPU=1"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, env=os.environ, **quiet)
        client.wait_for_workers(1, timeout=60)
        yield address
        process.terminate()
        process.wait(timeout=60)


@pytest.mark.faults
def test_a_folder_that_workers_do_not_see_is_told(tiny, blind, tmp_path):
    with pytest.raises(RequestError) as told:
        tiny(cluster=blind)
    folder = tmp_path / "results" / "tiny"
    assert str(told.value).startswith("cluster: worker tcp://")
    assert str(told.value).endswith(
        f" sees no {folder}: results need a folder that all workers share, or object storage"
    )
    assert [*folder.rglob("*.parquet"), *folder.rglob("*.tmp")] == []
