"""A scheduler that asks for certificates is reached with them, and a run without them is refused in one line."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import dask
import pytest
from distributed import Security

from optbench.request import RequestError
from optbench.runner.cluster import connect

pytestmark = pytest.mark.faults

pytest.importorskip("cryptography", reason="needs cryptography")


def certify(folder: Path) -> dict[str, str]:
    """Write a certificate that is its own authority, and return the settings of dask that name it."""
    folder.mkdir()
    made = Security.temporary()
    files = {"cert": made.tls_ca_file, "key": made.tls_client_key}
    for name, text in files.items():
        (folder / f"{name}.pem").write_text(text)
    roles = [f"{role}.{name}" for role in ("client", "scheduler", "worker") for name in files]
    settings = {role: str(folder / f"{role.rpartition('.')[2]}.pem") for role in roles}
    return {
        f"distributed.comm.tls.{name}": path for name, path in {"ca-file": settings["client.cert"], **settings}.items()
    }


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """Start a scheduler and a worker that speak TLS alone, and return their address and the settings to reach them."""
    settings = certify(tmp_path_factory.mktemp("tls") / "ours")
    env = os.environ | {
        f"DASK_{name.upper().replace('.', '__').replace('-', '_')}": settings[name] for name in settings
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    address = f"tls://127.0.0.1:{port}"
    scheduler = ["scheduler", "--protocol", "tls", "--host", "127.0.0.1", "--port", port, "--dashboard-address", ":0"]
    worker = ["worker", address, "--nthreads", "1", "--resources", "CPU=1"]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{kind}", *words, "--no-dashboard"],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for kind, *words in (scheduler, worker)
    ]
    yield address, settings
    # The worker first, which ends what it started.
    for process in reversed(started):
        process.terminate()
        process.wait(timeout=60)


@pytest.fixture
def impatient(monkeypatch):
    """Look for a scheduler no longer than it takes to refuse."""
    monkeypatch.setattr(connect, "CONNECT_SECONDS", 2)


def refused(tiny, address: str) -> str:
    with pytest.raises(RequestError) as told:
        tiny(cluster=address)
    assert "\n" not in str(told.value)
    return str(told.value)


def test_every_trial_is_equal(tiny, secured, rows):
    address, settings = secured
    request = {"optimizers": ["sgd", "adam"]}
    with dask.config.set(settings):
        run = tiny("many", **request, cluster=address)
    assert rows(run) == rows(tiny("one", **request))
    assert run.manifest["device"]["cluster"] == address


def test_without_certificates_it_is_refused(tiny, secured):
    address, settings = secured
    assert f"cluster: {address} needs certificates: set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, " in refused(
        tiny, address
    )
    with dask.config.set({name: path for name, path in settings.items() if not name.endswith("client.cert")}):
        assert f"cluster: {address} needs certificates: set " in refused(tiny, address)


def test_certificates_that_cannot_be_read_are_named(tiny, secured, tmp_path):
    address, settings = secured
    for path in (tmp_path / "nowhere.pem", tmp_path):
        with dask.config.set(settings | {"distributed.comm.tls.client.cert": str(path)}):
            line = refused(tiny, address)
        assert f"cluster: {address} needs certificates: " in line and str(path) in line
    (tmp_path / "empty.pem").touch()
    with dask.config.set(settings | {"distributed.comm.tls.ca-file": str(tmp_path / "empty.pem")}):
        assert str(tmp_path / "empty.pem") in refused(tiny, address)


def test_certificates_of_another_authority_are_refused(tiny, secured, impatient, tmp_path):
    address, settings = secured
    others = certify(tmp_path / "theirs")
    with dask.config.set(others):
        line = refused(tiny, address)
    assert line.startswith(f"cluster: no scheduler at {address}: ") and "certificate" in line.lower()
    # One that trusts ours, and that ours doesn't trust.
    with dask.config.set(others | {"distributed.comm.tls.ca-file": settings["distributed.comm.tls.ca-file"]}):
        line = refused(tiny, address)
    assert line.startswith(f"cluster: no scheduler at {address}: SSLError: ") and "unknown ca" in line


def test_a_client_that_does_not_encrypt_is_refused(tiny, secured, impatient):
    address = secured[0].replace("tls:", "tcp:")
    assert refused(tiny, address).startswith(f"cluster: no scheduler at {address}: ")
