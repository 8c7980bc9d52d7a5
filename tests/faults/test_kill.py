"""Killed at any moment, a run goes on where it was, and ends with the same bits."""

import json
import os
import random
import signal
import time

import pytest

from optbench.store.runs import remove_stale

pytestmark = pytest.mark.faults


def begun(folder):
    """Say which writing of its manifest a run is at: it writes one when its work begins, and one at the end."""
    path = folder / "manifest.json"
    return path.stat().st_mtime_ns if path.exists() else None


def wait_until_begun(process, folder, before):
    deadline = time.monotonic() + 60
    while begun(folder) == before and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)


def test_killed_twenty_times_at_random_moments(start, optbench, six, whole, kept, tmp_path):
    """Each resumes the one before, and is killed a random while after it began its work or finished a cell or two."""
    expected = whole(six)
    assert len(expected.rows) == 6
    chance, kills, round_ = random.Random(0), 0, 0
    moments = set()
    while kills < 20:
        folder = tmp_path / "results" / f"killed-{round_}"
        before = begun(folder)
        process = start(*six, "--name", folder.name)
        wait_until_begun(process, folder, before)
        for _ in range(chance.choice([0, 0, 1, 2])):
            process.stderr.readline()
        time.sleep(chance.random() * 0.3)
        process.kill()
        process.communicate()
        assert process.returncode in (0, -signal.SIGKILL)
        found = optbench.load(folder)
        # Nothing is torn, and what is there is as it will be.
        assert found.torn == () and kept(folder).rows.items() <= expected.rows.items()
        if process.returncode == 0:
            assert kept(folder) == expected
        kills += process.returncode != 0
        moments.add(len(found.parts))
        round_ += found.missing == 0
    said = optbench(*six, "--name", folder.name)
    assert (said.returncode, json.loads(said.stdout)) == (0, expected.convergence)
    for folder in (tmp_path / "results").glob("killed-*"):
        if optbench.load(folder).missing == 0:
            assert kept(folder) == expected
    # They fell into several stages of a run.
    assert len(moments) > 3


#: Kill the process itself at its n-th call of a function.
KILL_AT = """
    import os, {module}
    whole, calls = {module}.{name}, []

    def kill(*arguments, **keywords):
        calls.append(1)
        if len(calls) == {number}:
            os.kill(os.getpid(), 9)
        return whole(*arguments, **keywords)

    {module}.{name} = kill
"""


@pytest.mark.parametrize(
    ("module", "name", "number"),
    [("pyarrow.parquet", "ParquetWriter.write_table", 2), ("os", "fsync", 2), ("os", "replace", 1)],
    ids=["half-a-part", "a-part-unmoved", "the-manifest-unmoved"],
)
def test_killed_while_it_writes(optbench, two, whole, kept, tmp_path, module, name, number):
    words = [*two, "--name", "killed"]
    killed = optbench(*words, before=KILL_AT.format(module=module, name=name, number=number))
    assert killed.returncode == -signal.SIGKILL
    folder = tmp_path / "results" / "killed"
    left = list(folder.rglob("*.tmp"))
    assert len(left) == 1
    # Whatever it holds is nobody's part.
    left[0].write_bytes(b"torn")
    said = optbench(*words)
    assert said.returncode == 0 and "torn" not in said.stderr
    assert kept(folder) == whole(two)
    assert list(folder.rglob("*.tmp")) == left, "it may be another run's that writes it now"
    yesterday = time.time() - 90_000
    os.utime(left[0], (yesterday, yesterday))
    remove_stale(folder)
    assert list(folder.rglob("*.tmp")) == []


def test_killed_while_it_fills_the_compile_cache(optbench, two, whole, kept, tmp_path):
    """jax writes its cache in place: what a kill tore there is compiled anew, without a word."""
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    first = optbench(*two, "--name", "first", env=env)
    programs = [path for path in (tmp_path / "cache").rglob("*-cache") if path.is_file()]
    assert first.returncode == 0 and programs
    for place, path in enumerate(programs):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 * (place % 2)])
    said = optbench(*two, "--name", "again", env=env)
    assert said.returncode == 0
    assert len(said.stderr.splitlines()) == 3, said.stderr
    assert kept(tmp_path / "results" / "again") == whole(two)


def test_stopped_and_continued(start, six, whole, kept, tmp_path):
    process = start(*six, "--name", "stopped")
    for _ in range(3):
        process.stderr.readline()
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        time.sleep(0.2)
        process.send_signal(signal.SIGCONT)
    process.communicate()
    assert process.returncode == 0
    assert kept(tmp_path / "results" / "stopped") == whole(six)
