"""SLURM starts workers: its commands are played by scripts that start each job as a process here."""

import os
import signal
import sys
import time
from pathlib import Path

import dask
import psutil
import pytest

from optbench.cli import main
from optbench.request import RequestError
from optbench.runner.cluster import slurm
from optbench.runner.cluster.connect import open_cluster

TWO = ["quadratic[dim=3,condition=2]", "quadratic[dim=4,condition=2]"]

#: Numbers its jobs, keeps their scripts and processes, and starts them.
SBATCH = """#!/bin/sh
cd {jobs}
if [ -e refuse ]; then echo "sbatch: error: invalid partition specified: gone" >&2; exit 1; fi
number=1
until mkdir $number 2>/dev/null; do number=$((number + 1)); done
cp "$1" $number.sh
setsid bash $number.sh >$number.out 2>&1 </dev/null &
echo $! >$number.pid
echo "Submitted batch job $number"
"""
SCANCEL = """#!/bin/sh
echo "$1" >>{jobs}/cancelled
kill -- -$(cat {jobs}/$1.pid)
"""


class Queue:
    """What was submitted, and what of it runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "jobs.toml"

    def write(self, **more: str) -> str:
        """Write a file that asks for two jobs, and return what names it: values are TOML."""
        asked = {"workers": "2", "time": '"0:10:00"', "memory": '"2GB"', "interface": '"lo"'} | more
        self.file.write_text("".join(f"{name} = {value}\n" for name, value in asked.items()))
        return f"slurm:{self.file}"

    def jobs(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.sh"))

    def kill(self, number: int) -> None:
        """Kill a job with all its processes, as SLURM does at its time limit."""
        os.killpg(int((self.folder / f"{number}.pid").read_text()), signal.SIGKILL)

    def running(self) -> list[psutil.Process]:
        """List the processes of all jobs."""
        groups = {int(path.read_text()) for path in self.folder.glob("*.pid")}
        return [one for one in psutil.process_iter() if one.is_running() and _group(one) in groups]


def wait_until(holds, seconds=60):
    """Wait until something holds, and return it."""
    until = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < until, "it never held"
        time.sleep(0.05)
    return found


def _group(process: psutil.Process) -> int | None:
    try:
        return None if process.status() == psutil.STATUS_ZOMBIE else os.getpgid(process.pid)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return None


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """Play SLURM's commands."""
    jobs, programs = tmp_path / "jobs", tmp_path / "programs"
    jobs.mkdir()
    programs.mkdir()
    for name, text in {"sbatch": SBATCH, "scancel": SCANCEL}.items():
        (programs / name).write_text(text.format(jobs=jobs))
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    played = Queue(jobs)
    yield played
    for process in played.running():
        process.kill()


@pytest.mark.faults
def test_every_trial_is_equal_and_jobs_end_with_the_run(tiny, queue, rows, words, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    where = queue.write(setup='["echo set up"]', logs='"made/logs"')
    some = [*words, "-p", TWO[1], *["-o", "sgd", "-o", "adam", "--learning-rate", "0.1,0.5", "--name", "many"]]
    code = main(["run", *some, "--cluster", where])
    err = capsys.readouterr().err
    assert (code, "Traceback" in err, "Warning" in err) == (0, False, False), err
    assert (queue.jobs(), sorted((queue.folder / "cancelled").read_text().split())) == (["1", "2"], ["1", "2"])
    assert wait_until(lambda: not queue.running(), 10)
    assert (queue.folder / "1.out").read_text().startswith("set up\n")
    assert (tmp_path / "made" / "logs").is_dir()
    seen = []
    many = tiny("many", problems=TWO, optimizers=["sgd", "adam"], on_progress=seen.append)
    assert [one.outcome for one in seen] == ["kept"] * 4
    assert rows(many) == rows(tiny("one", problems=TWO, optimizers=["sgd", "adam"]))


@pytest.mark.faults
def test_a_cell_whose_job_ends_runs_in_another_and_the_job_is_asked_for_anew(
    tiny, queue, rows, watch, plug, monkeypatch
):
    monkeypatch.setattr(slurm, "RENEW_SECONDS", 0.5)
    # The first time it is begun it takes until its job ends.
    once = (
        "if not (HERE / 'begun').exists():\n    (HERE / 'begun').write_text(str(os.getpgid(0)))\n    time.sleep(1000)"
    )
    request = {"optimizers": [plug("once", once), "sgd"]}
    begun = queue.folder.parent / "begun"

    def kill() -> None:
        os.killpg(int(wait_until(lambda: begun.exists() and begun.read_text())), signal.SIGKILL)
        wait_until(lambda: queue.jobs() == ["1", "2"])

    seen = watch(kill)
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "0.5s"}):
        run = tiny("many", **request, cluster=queue.write(workers="1"), on_progress=seen)
    assert seen.outcomes() == [("once.py:make", "finished", ""), ("sgd", "finished", "")]
    assert queue.jobs() == ["1", "2"]
    assert rows(run) == rows(tiny("one", **request))


@pytest.mark.faults
def test_jobs_end_with_a_run_that_is_ended(queue, start, words, plug):
    stays = plug("stays", "(HERE / 'begun').touch()\ntime.sleep(1000)")
    some = [*words, "-o", stays, "--learning-rate", "0.1", "--cluster", queue.write(workers="1")]
    process = start("run", *some)
    wait_until((queue.folder.parent / "begun").exists)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err, (queue.folder / "cancelled").exists()) == (143, False, True)
    assert wait_until(lambda: not queue.running())


def test_the_scheduler_is_reached_from_elsewhere_and_its_pages_are_not(queue):
    listening = lambda: {one.laddr for one in psutil.Process().net_connections("tcp") if one.status == "LISTEN"}  # noqa: E731
    before = listening()
    with open_cluster(queue.write(interface='"lo"', workers="1"), None):
        assert {address.ip for address in listening() - before} == {"127.0.0.1"}
    # The default.
    queue.file.write_text('workers = 1\ntime = "5"\nmemory = "2GB"\n')
    with open_cluster(f"slurm:{queue.file}", None):
        assert {address.ip for address in listening() - before} - {"::"} == {"0.0.0.0", "127.0.0.1"}


@pytest.mark.parametrize("num_taken", [0, 1])
def test_jobs_that_slurm_refuses(tiny, queue, monkeypatch, num_taken):
    """Where it takes none the run ends; where it takes some, the others are asked for again."""
    monkeypatch.setattr(slurm, "RENEW_SECONDS", 0.5)
    (queue.folder / "refuse").touch()
    where = queue.write(partition='"gone"', workers="2")
    if num_taken == 0:
        with pytest.raises(
            RequestError, match=r"^cluster: SLURM takes no job: sbatch: error: invalid partition .*: gone$"
        ):
            tiny(cluster=where)
        return
    # Takes one, then refuses.
    program = queue.folder.parent / "programs" / "sbatch"
    program.write_text(program.read_text().replace("[ -e refuse ]", "[ -e refuse ] && ! mkdir taken 2>/dev/null"))
    with open_cluster(where, None) as new_client, new_client() as client:
        client.wait_for_workers(1, timeout=60)
        assert queue.jobs() == ["1"]
        (queue.folder / "refuse").unlink()
        client.wait_for_workers(2, timeout=60)
    assert wait_until(lambda: not queue.running(), 10)


def test_a_host_without_slurm_is_told(tiny, queue, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RequestError, match=r"SLURM takes no job: .*No such file.*'sbatch'"):
        tiny(cluster=queue.write())


def test_folder_for_output_that_cannot_be_made_is_told(tiny, queue):
    (queue.folder / "file").touch()
    with pytest.raises(RequestError, match=r"cluster: logs '.*/file/logs': Not a directory"):
        tiny(cluster=queue.write(logs=f'"{queue.folder}/file/logs"'))
    assert queue.jobs() == []


def script(capsys, *words: str) -> list[str]:
    """Print the script of a job, and return its lines."""
    code = main(["run", "--dry-run", *words])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return out.strip().splitlines()


def test_dry_run_prints_the_script_and_submits_nothing(queue, capsys, tmp_path):
    where = queue.write(
        partition='"long"',
        account='"physics"',
        memory='"32GB"',
        time='"1-12:00:00"',
        gpus="1",
        cores="8",
        setup='["module load cuda", "source env.sh"]',
        options='["--constraint=a100", "--qos=low"]',
        logs=f'"{tmp_path}/my logs"',
        python='"srun python3"',
    )
    first, *lines = script(capsys, "--cluster", where)
    assert first == "#!/usr/bin/env bash"
    directives = {line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH ")}
    asked = {"-J optbench", "-p long", "-A physics", "-t 1-12:00:00", "--mem=30G", "-n 1", "--cpus-per-task=8"}
    given = {"--gres=gpu:1", "--constraint=a100", "--qos=low", f"--output='{tmp_path}/my logs/%x-%j.txt'"}
    assert directives == asked | given
    threads, *setup, command = [line for line in lines if line and not line.startswith("#")]
    assert threads == "export OMP_NUM_THREADS=8 MKL_NUM_THREADS=8 OPENBLAS_NUM_THREADS=8"
    assert setup == ["module load cuda", "source env.sh"]
    assert command.startswith("srun python3 -m distributed.cli.dask_worker tcp://SCHEDULER:PORT ")
    for words in ("--nthreads 1 ", "--resources GPU=1", "--memory-limit 29.80GiB", "--interface lo", "--nanny"):
        assert words in command
    assert (queue.jobs(), [path.name for path in tmp_path.iterdir() if path.name == "my logs"]) == ([], [])


def test_what_is_not_asked_for_is_not_in_the_script(queue, capsys):
    lines = script(capsys, "--cluster", queue.write())
    directives = [line for line in lines if line.startswith("#SBATCH ")]
    assert not [line for line in directives if line.split()[1] in ("-p", "-A", "-e", "-o") or "--gres" in line]
    assert f"{sys.executable} -m distributed.cli.dask_worker" in (command := lines[-1])
    assert "--resources CPU=1" in command
