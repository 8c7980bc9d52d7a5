"""Where workers are: every mistake is one line, and each worker on this machine has a GPU of its own."""

import os
import subprocess
import sys

import pytest

from optbench.request import RequestError
from optbench.runner.cluster import connect
from optbench.runner.cluster.connect import gpu_ids, local_workers, open_cluster

#: The text of a SLURM file -> what the line must say.
FILES = {
    "torn": ("workers =", ["'jobs.toml'", "not valid TOML", "end of document"]),
    "unknown-key": ('workers = 1\ntime = "1:00"\nmemroy = "1GB"', ["memroy: unknown key", "did you mean 'memory'"]),
    "missing-keys": ("workers = 1", ["time: is missing", "memory: is missing"]),
    "word-for-a-number": ('workers = "two"\ntime = "5"\nmemory = "1GB"', ["workers:", "integer", "'two'"]),
    "number-for-a-word": ('workers = 1\ntime = 5\nmemory = "1GB"', ["time:", "string", "got 5"]),
    "negative": ('workers = -1\ntime = "5"\nmemory = "1GB"', ["workers:", "greater than or equal to 1", "-1"]),
    "no-cores": ('workers = 1\ncores = 0\ntime = "5"\nmemory = "1GB"', ["cores:", "greater than or equal to 1", "0"]),
    "time": ('workers = 1\ntime = "soon"\nmemory = "1GB"', ["time: 'soon'", "1-12:00:00"]),
    "memory": ('workers = 1\ntime = "5"\nmemory = "32000"', ["memory: '32000'", "32GB"]),
    "gpus": ('workers = 1\ngpus = 2\ntime = "5"\nmemory = "1GB"', ["gpus:", "0 or 1", "2"]),
    "options": (
        'workers = 1\ntime = "5"\nmemory = "1GB"\noptions = ["constraint=a"]',
        ["options", "--constraint=a100"],
    ),
    "interface": ('workers = 1\ntime = "5"\nmemory = "1GB"\ninterface = "l"', ["interface 'l'", "did you mean 'lo'"]),
}

#: Words of a command -> what the line must say.
MISTAKES = {
    "nonsense": (
        ["--cluster", "locla:2"],
        ["'locla:2'", "did you mean 'local:N'", "tcp://host:port", "slurm:FILE.toml"],
    ),
    "empty": (["--cluster", ""], ["''", "local:N"]),
    "no-workers": (["--cluster", "local:0"], ["local:0", "local:1 to local:1024"]),
    "workers-word": (["--cluster", "local:x"], ["local:x", "local:1 to local:1024"]),
    "workers-beyond-all": (["--cluster", "local:99999"], ["local:99999", "local:1 to local:1024"]),
    "workers-missing": (["--cluster", "local:"], ["'local:'", "local:N"]),
    "nobody-listens": (["--cluster", "tcp://127.0.0.1:1"], ["no scheduler at tcp://127.0.0.1:1"]),
    "no-port": (["--cluster", "tcp://127.0.0.1"], ["'tcp://127.0.0.1'", "tcp://host:port"]),
    "port-word": (["--cluster", "tcp://127.0.0.1:x"], ["'tcp://127.0.0.1:x'", "tcp://host:port"]),
    "no-certificates": (["--cluster", "tls://127.0.0.1:1"], ["certificates", "TLS__CA_FILE", "TLS__CLIENT__CERT"]),
    "no-file": (["--cluster", "slurm:none.toml"], ["'none.toml'", "No such file"]),
    "folder": (["--cluster", "slurm:."], ["'.'", "directory"]),
    "devices": (["--cluster", "local:1", "--devices", "2"], ["devices: 2", "worker per device"]),
    "trace": (["--cluster", "local:1", "--trace", "made"], ["trace", "with a cluster"]),
    "dry-run": (["--dry-run"], ["dry-run", "alone", "slurm:FILE.toml"]),
    "dry-run-of-workers-here": (["--dry-run", "--cluster", "local:1"], ["dry-run", "'local:1'", "slurm:FILE.toml"]),
    "cell-timeout-zero": (["--cell-timeout", "0"], ["cell_timeout: 0", "> 0"]),
    "cell-timeout-negative": (["--cell-timeout", "-1"], ["cell_timeout: -1", "> 0"]),
    "cell-timeout-nan": (["--cell-timeout", "nan"], ["cell_timeout: nan", "> 0"]),
    "cell-timeout-word": (["--cell-timeout", "long"], ["cell-timeout", "long"]),
    "max-minutes-zero": (["--max-minutes", "0"], ["max_minutes: 0", "> 0"]),
    "max-minutes-negative": (["--max-minutes", "-1"], ["max_minutes: -1", "> 0"]),
    "max-minutes-nan": (["--max-minutes", "nan"], ["max_minutes: nan", "> 0"]),
}


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys, words):
    """Run a tiny request that is a mistake, and return the one line that says so: refused(*words)."""
    from optbench.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(connect, "CONNECT_SECONDS", 0.5)

    def call(*more: str) -> str:
        code = main(["run", *words, "-o", "sgd", "--learning-rate", "0.1", *more])
        out, err = capsys.readouterr()
        assert (code, out, err.count("\n"), err[:10]) == (2, "", 1, "optbench: "), err
        assert not [*tmp_path.rglob("*.parquet")]
        return err

    return call


@pytest.mark.parametrize(("mistake", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line(refused, mistake, said):
    line = refused(*mistake)
    assert [word for word in said if word not in line] == []


@pytest.mark.parametrize(("text", "said"), FILES.values(), ids=FILES)
def test_a_mistake_in_a_slurm_file_is_one_line(refused, tmp_path, text, said):
    (tmp_path / "jobs.toml").write_text(text)
    line = refused("--cluster", "slurm:jobs.toml")
    assert [word for word in said if word not in line] == []


@pytest.mark.parametrize("device", ["gpu", "cpu"])
def test_jobs_have_the_device_that_is_asked_for(refused, tmp_path, device):
    (tmp_path / "jobs.toml").write_text(f'workers = 1\ntime = "5"\nmemory = "1GB"\ngpus = {int(device == "cpu")}')
    line = refused("--cluster", "slurm:jobs.toml", "--device", device)
    assert f"device {device!r} is not accepted with gpus = " in line


@pytest.mark.parametrize(
    ("missing", "given"),
    [("distributed", ["local:1"]), ("dask_jobqueue", ["slurm:x"]), ("dask_jobqueue", ["slurm:x", "--dry-run"])],
)
def test_what_is_not_installed_is_named(words, tmp_path, missing, given):
    code = f"import sys; sys.modules[{missing!r}] = None; from optbench.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "run", *words, "-o", "sgd", "--cluster", *given]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == "optbench: cluster needs the extra cluster: pip install 'optbench[cluster]'\n"


def test_an_interrupt_still_interrupts_beside_dask_jobqueue():
    # Set, as a shell's background job ignores it.
    code = "import signal; signal.signal(2, signal.default_int_handler); import optbench.runner.cluster.slurm; "
    code += "assert signal.getsignal(2) is signal.default_int_handler"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_each_worker_has_a_gpu_of_its_own_or_a_cpu():
    with_gpus = [told["options"] for told in local_workers(2, ["0", "3", "4"]).values()]
    assert [told["env"] for told in with_gpus] == [{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "3"}]
    assert [(told["resources"], told["nthreads"]) for told in with_gpus] == [({"GPU": 1}, 1)] * 2
    without = [told["options"] for told in local_workers(3, []).values()]
    assert [(told["resources"], told["nthreads"], told.get("env")) for told in without] == [({"CPU": 1}, 1, None)] * 3
    assert 3 * without[0]["memory_limit"] <= local_workers(1, [])[0]["options"]["memory_limit"]


@pytest.fixture
def two_gpus(tmp_path, monkeypatch):
    """Pretend that this machine has two GPUs, the first of them cut in slices, and what jax needs for them."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\nprintf 'GPU 0: H100 (UUID: a)\\n  MIG 1g.10gb Device 0: (UUID: b)\\nGPU 1: H100\\n'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setattr(connect, "find_spec", lambda name: name == "jax_cuda12_plugin" or None)
    for name in ("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS"):
        monkeypatch.delenv(name, raising=False)
    return program


@pytest.mark.parametrize(
    ("visible", "found"),
    [
        (None, ["0", "1"]),
        ("1", ["1"]),
        ("0, 1", ["0", "1"]),
        ("GPU-a", ["GPU-a"]),
        ("", []),
        ("-1", []),
        ("1,-1,0", ["1"]),
    ],
)
def test_gpus_are_those_that_may_be_seen(two_gpus, monkeypatch, visible, found):
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpu_ids() == found


@pytest.mark.parametrize(("platforms", "num"), [("cpu", 0), ("cuda,cpu", 2), ("gpu", 2), ("", 2)])
def test_gpus_are_those_that_jax_may_use(two_gpus, monkeypatch, platforms, num):
    monkeypatch.setenv("JAX_PLATFORMS", platforms)
    assert len(gpu_ids()) == num


def test_there_are_no_gpus_without_driver_program_or_plugin(two_gpus, monkeypatch):
    two_gpus.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed: no driver'\nexit 9\n")
    assert gpu_ids() == []
    two_gpus.unlink()
    monkeypatch.setenv("PATH", str(two_gpus.parent))
    assert gpu_ids() == []
    monkeypatch.setattr(connect, "find_spec", lambda name: None)
    monkeypatch.setattr(connect.shutil, "which", lambda name: pytest.fail("asked for a driver that jax can't use"))
    assert gpu_ids() == []


def test_more_workers_than_gpus_are_refused(two_gpus, refused):
    assert "local:3 is not accepted; accepted: up to 2, one a GPU" in refused("--cluster", "local:3")


def test_a_gpu_that_is_not_here_is_refused(refused, monkeypatch):
    monkeypatch.setattr(connect, "gpu_ids", list)
    assert "device 'gpu' is not here" in refused("--cluster", "local:1", "--device", "gpu")


@pytest.mark.faults
@pytest.mark.parametrize(
    ("device", "seen", "resources"), [(None, {"0", "1"}, {"GPU": 1}), ("cpu", {None}, {"CPU": 1})], ids=["gpu", "cpu"]
)
def test_workers_started_here_see_what_they_may(monkeypatch, device, seen, resources):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(connect, "gpu_ids", lambda: ["0", "1"])
    with open_cluster("local:2", device) as connected, connected() as client:
        client.wait_for_workers(2, timeout=60)
        assert {*client.run(os.getenv, "CUDA_VISIBLE_DEVICES").values()} == seen
        told = client.scheduler_info(n_workers=-1)["workers"].values()
        assert [(one["resources"], one["nthreads"]) for one in told] == [(resources, 1)] * 2


def test_a_faulty_request_starts_no_worker(tiny, monkeypatch):
    monkeypatch.setattr(connect, "_start_local", lambda *given: pytest.fail("started workers"))
    with pytest.raises(RequestError, match="'sdg'"):
        tiny(optimizers=["sdg"], cluster="local:1")
