"""A full disk: one line and exit code 2; what was written before stays, and the run goes on once there is room."""

import os
import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.faults

#: A second cell whose part is some times larger than the first one's.
LARGE = ("-o", "sgd", "-o", "sgd_momentum[momentum=0.1:0.9:60]")


@pytest.fixture
def uneven(two):
    """Return the words of a run of two cells, of which the second needs more room."""
    place = two.index("-o")
    return [*two[:place], *LARGE, *two[place + 4 :]]


def last_line(said):
    """Return the one line that says what went wrong; before it stand progress and what was computed alone."""
    assert "Traceback" not in said.stderr and "Warning" not in said.stderr, said.stderr
    *before, last = said.stderr.splitlines()
    assert all(line.startswith("[") or "computed" in line for line in before), said.stderr
    return last


#: Runs its arguments, whose files may not grow beyond 20 kB.
LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_a_file_too_large(optbench, uneven, whole, kept, tmp_path):
    """The limit holds for the compile cache too, which then keeps nothing and says nothing."""
    words = [*uneven, "--name", "full"]
    said = optbench(*words, within=[sys.executable, "-c", LIMITED], env={"XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert said.returncode == 2 and said.stdout == ""
    assert last_line(said).startswith("optbench: can't write ") and last_line(said).endswith("File too large")
    folder = tmp_path / "results" / "full"
    assert list(folder.rglob("*.tmp")) == []
    half = kept(folder).rows
    assert len(half) == 1 and half.items() <= whole(uneven).rows.items()
    again = optbench(*words)
    assert again.returncode == 0 and "1 cell computed, 1 kept" in again.stderr
    assert kept(folder) == whole(uneven)


#: A results folder on a disk of its own, small first: the run, its exit code, more room, the run again.
ON_A_SMALL_DISK = """
mkdir results && mount -t tmpfs -o size=20k none results || exit 77
"$@" >out 2>err
echo $? >code
ls -A results/full/parts >parts
mount -o remount,size=10m results
"$@" >out-again 2>err-again
echo $? >code-again
cp -r results kept
"""


def test_a_disk_that_is_full(start, uneven, whole, kept, tmp_path):
    if os.geteuid() or not shutil.which("unshare"):
        pytest.skip("only root may mount")
    process = start(*uneven, "--name", "full", within=["unshare", "-m", "sh", "-c", ON_A_SMALL_DISK, "sh"])
    _, err = process.communicate()
    if process.returncode in (1, 77):
        pytest.skip(f"mounting is not allowed here: {err}")
    read = {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()}
    assert (read["code"], read["out"]) == ("2\n", "")
    assert last_line(subprocess.CompletedProcess([], 2, "", read["err"])).endswith("No space left on device")
    assert len(read["parts"].split()) == 1, "nothing temporary is left"
    assert read["code-again"] == "0\n" and "1 cell computed, 1 kept" in read["err-again"]
    assert kept(tmp_path / "kept" / "full") == whole(uneven)


def test_a_full_disk_of_the_compile_cache(start, two, whole, kept, tmp_path):
    if os.geteuid() or not shutil.which("unshare"):
        pytest.skip("only root may mount")
    script = 'mkdir cache && mount -t tmpfs -o size=4k none cache || exit 77; exec "$@"'
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    process = start(*two, "--name", "full", env=env, within=["unshare", "-m", "sh", "-c", script, "sh"])
    _, err = process.communicate()
    if process.returncode in (1, 77):
        pytest.skip(f"mounting is not allowed here: {err}")
    assert process.returncode == 0 and len(err.splitlines()) == 3, err
    assert kept(tmp_path / "results" / "full") == whole(two)


@pytest.mark.parametrize("what", ["a-file", "no-home"])
def test_no_place_for_the_compile_cache(optbench, two, whole, kept, tmp_path, what):
    """Root may write anywhere: what it can't write is what can't be a folder."""
    (tmp_path / "a-file").touch()
    env = {"XDG_CACHE_HOME": str(tmp_path / what), "HOME": "/proc/nobody"}
    env |= {"XDG_CACHE_HOME": None} if what == "no-home" else {}
    said = optbench(*two, "--name", "without", env=env)
    assert said.returncode == 0 and len(said.stderr.splitlines()) == 3, said.stderr
    assert kept(tmp_path / "results" / "without") == whole(two)
