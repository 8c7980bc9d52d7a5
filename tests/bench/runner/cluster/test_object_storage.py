"""Workers write their parts to the results themselves: in object storage, or in a folder that all of them see."""

import subprocess
import sys

import pytest
from distributed import Client

from optbench.request import RequestError
from optbench.runner.cluster.connect import open_cluster
from optbench.store.locations import children, locate


@pytest.fixture
def near(bucket):
    """Start a worker that knows the bucket, and return its scheduler's address."""
    with open_cluster("local:1", "cpu") as new_client, new_client() as client:
        yield client.scheduler_info()["address"]


@pytest.mark.faults
def test_parts_in_object_storage_are_equal_and_kept(tiny, bucket, near, rows, watch):
    results = f"{bucket}/results"
    first, second = watch(), watch()
    request = {"optimizers": ["sgd", "adam"], "throughput": True}
    run = tiny("many", **request, results=results, cluster=near, on_progress=first)
    assert (first.count("finished"), len(run.timings)) == (2, 2)
    assert rows(run) == rows(tiny("one", optimizers=["sgd", "adam"]))
    names = [path.name for path in children(locate(results) / "many")]
    assert "manifest.json" in names and not [name for name in names if name.endswith(".tmp")]
    tiny("many", **request, results=results, cluster=near, on_progress=second)
    assert [one.outcome for one in second.seen] == ["kept"] * 2


@pytest.fixture
def elsewhere(own_cluster, started, tmp_path):
    """Start a worker that has another disk where the results are, and return its scheduler's address."""
    (tmp_path / "results").mkdir()
    apart = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(tmp_path / "results")]
    try:
        may = subprocess.run([*apart, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        may = False
    if not may:
        pytest.skip("needs to mount a disk for one process alone")
    address = own_cluster(0).address
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--resources", "CPU=1"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started.append(subprocess.Popen([*apart, *worker, "--no-dashboard"], **quiet))
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=60)
    return address


@pytest.mark.faults
def test_a_folder_that_workers_do_not_see_is_told(tiny, elsewhere, tmp_path):
    folder = tmp_path / "results" / "tiny"
    with pytest.raises(RequestError) as told:
        tiny(cluster=elsewhere)
    said = f" sees no {folder}: results need a folder that all workers share, or object storage"
    assert str(told.value).startswith("cluster: worker tcp://") and str(told.value).endswith(said)
    assert not [*folder.rglob("*.parquet"), *folder.rglob("*.tmp")]
