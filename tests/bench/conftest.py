"""What tests of whole runs share: a request that takes half a second, and what it stored."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest

from optbench.history.record import machine_facts

#: Three parameters, four steps, two points, one seed in each phase.
TINY = {
    "problems": ["quadratic[dim=3,condition=2]"],
    "optimizers": ["sgd"],
    "learning_rate": "0.1,0.5",
    "steps": 4,
    "seeds": 1,
    "report_seeds": 1,
    "records": 2,
    "throughput": False,
}


@pytest.fixture
def tiny(tmp_path) -> Callable[..., Any]:
    """Run a tiny request: tiny(name, **overrides) -> Run, under `tmp_path/results`."""

    def call(name: str = "tiny", **overrides: Any) -> Any:
        from optbench import run

        return run(name=name, **{"results": tmp_path / "results"} | TINY | overrides)

    return call


@pytest.fixture
def words() -> list[str]:
    """Return the same request in the words of the command line, without its optimizer and learning rates."""
    return [
        "-p",
        TINY["problems"][0],
        *["--steps", "4", "--seeds", "1", "--report-seeds", "1", "--records", "2"],
        "--no-throughput",
    ]


def _rows(run: Any) -> dict[str, str]:
    from optbench.store.trials import read_rows

    # repr tells floats apart to the last bit, and NaN equals itself in it.
    return {part.path.stem: repr(read_rows([part]).to_pylist()) for part in run.parts}


@pytest.fixture
def rows() -> Callable[[Any], dict[str, str]]:
    """Write every stored row of a run as text, by key: equal texts are equal bit for bit."""
    return _rows


@pytest.fixture
def plugin(tmp_path) -> Callable[..., str]:
    """Write a plug-in file and return what names its `make`: plugin(code, stem="plug") -> ".../plug.py:make"."""

    def write(code: str, stem: str = "plug") -> str:
        path = tmp_path / f"{stem}.py"
        path.write_text(dedent(code))
        return f"{path}:make"

    return write


@pytest.fixture
def start(tmp_path) -> Callable[..., subprocess.Popen]:
    """Start `optbench` as a process of its own in `tmp_path`: start(*words) -> Popen."""
    code = "import sys; from optbench.cli import main; sys.exit(main())"

    def call(*arguments: str) -> subprocess.Popen:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=tmp_path, env=os.environ, **pipes)

    return call


@pytest.fixture
def stamps() -> Callable[[Path], dict[str, tuple[int, bytes]]]:
    """Take note of a run's parts: name -> (time written, bytes)."""
    return lambda folder: {
        path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted((folder / "parts").iterdir())
    }


@pytest.fixture
def bucket(monkeypatch) -> Iterator[str]:
    """Serve object storage on this machine, and name a bucket of it."""
    moto = pytest.importorskip("moto.server", reason="needs moto")
    s3fs = pytest.importorskip("s3fs", reason="needs s3fs")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    # What an earlier server of this process held is forgotten.
    urlopen(Request(f"http://127.0.0.1:{port}/moto-api/reset", method="POST")).close()
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("bench")
    yield "s3://bench"
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


#: The machine that histories written by hand are of.
HERE = {"device": "cpu", "driver": "cpu", "cpu": "Some CPU", "cpu_count": 2, "host_memory_bytes": 2**34}


def _about(number: int, **fields: Any) -> dict[str, Any]:
    """Describe entry number so many: an hour after the one before."""
    machine = machine_facts(fields.pop("device", HERE))
    time = str(np.datetime64("2026-01-01T00:00:00") + np.timedelta64(number, "h")) + "Z"
    versions = {"optbench": "0.1.0", "jax": "0.10.2", "optax": "0.2.8"}
    told = {"time": time, "suite": "smoke", "run": "smoke", "commit": f"{number:040x}", "versions": versions}
    return told | {"label": None} | machine | fields


def _quality(costs: Sequence[float], measure: str = "train_loss", **fields: Any) -> dict[str, Any]:
    """Make a row of a measure by seed."""
    costs = [float(cost) for cost in costs]
    named = {"problem": "mlp", "optimizer": "adamw", "batch_size": "32", "dtype": "float32", "settings": "steps=50"}
    middle = float(np.median(costs))
    kept = {"seeds": list(range(len(costs))), "samples": costs, "n": len(costs), "start": 2.0, "least": 1e-7}
    ends = {"low": min(costs), "high": max(costs), "key": "k", "best": "learning_rate=0.1"}
    return named | {"measure": measure, "value": middle} | kept | ends | fields


def _seconds(seconds: float, measure: str = "step_seconds", width: float = 0.005, **fields: Any) -> dict[str, Any]:
    """Make a row of a measure in seconds, whose interval is so wide a share on each side."""
    row = _quality([seconds], measure) | {"seeds": None, "start": None, "least": None, "n": 20}
    return row | {"low": seconds * (1 - width), "high": seconds * (1 + width)} | fields


@pytest.fixture
def about() -> Callable[..., dict[str, Any]]:
    """Return a function that describes entry number so many."""
    return _about


@pytest.fixture
def quality() -> Callable[..., dict[str, Any]]:
    """Return a function that makes a row of costs by seed."""
    return _quality


@pytest.fixture
def seconds() -> Callable[..., dict[str, Any]]:
    """Return a function that makes a row of seconds."""
    return _seconds


@pytest.fixture
def elsewhere() -> Any:
    """Return a sharding that looks like a device other than a CPU, on this one's memory."""
    import jax

    class Elsewhere(jax.sharding.SingleDeviceSharding):
        platform = "gpu"

    return Elsewhere(jax.devices()[0])
