"""A run's folder under somebody else's hands: taken away, not to be written to, written to by another run."""

import json
import shutil
import subprocess
import sys
import threading

import pytest

import optbench
from optbench.store.manifest import read_manifest
from optbench.store.parts import read_part

LEAVES = """
    import shutil
    import time
    from pathlib import Path
    import optax

    def make(learning_rate):
        folder = Path(__file__).parent / "results" / "mine"
        while folder.exists() and not list(folder.glob("parts/*.parquet")):
            time.sleep(0.01)
        shutil.rmtree(folder, ignore_errors=True)
        return optax.sgd(learning_rate)
"""


def test_a_folder_taken_away_between_cells_ends_the_run(start, words, plugin, tmp_path):
    process = start("run", *words, "-o", "sgd", "-o", plugin(LEAVES), "--learning-rate", "0.1", "--name", "mine")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (2, "")
    last = err.splitlines()[-1]
    assert last.startswith("optbench: can't write ") and last.endswith("the run's folder is gone")
    assert "/results/mine/parts/" in last
    assert "Traceback" not in err
    assert list((tmp_path / "results").iterdir()) == []


def test_a_folder_that_cannot_be_written_to_ends_it_before_any_work(words, tmp_path):
    """A mount that can't be written to: of chmod root takes no notice."""
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    folder = tmp_path / "results"
    folder.mkdir()
    mount = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o ro tmpfs "$0" && exec "$@"', str(folder)]
    if subprocess.run([*mount, "true"], capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    code = "import sys; from optbench.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "run", *words, "-o", "sgd", "--results", str(folder), "--name", "mine"]
    said = subprocess.run([*mount, *command], capture_output=True, text=True, timeout=120)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == f"optbench: can't write {folder}/mine: Read-only file system\n"


def watch(folder, ended, faults):
    """Read the manifest and the parts over and over."""
    while not ended.is_set():
        try:
            if (folder / "manifest.json").exists():
                read_manifest(folder)
            faults += [path for path in folder.glob("parts/*.parquet") if read_part(path).outcome != "finished"]
        except Exception as error:
            faults.append(error)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param((["sgd", "adam"], ["sgd", "adam"]), id="same"),
        pytest.param((["sgd", "adam", "lion"], ["adam", "sign_sgd"]), id="other", marks=pytest.mark.faults),
    ],
)
def test_two_runs_of_one_name_at_the_same_time(start, words, tmp_path, rows, tiny, asked):
    folder, ended, faults = tmp_path / "results" / "both", threading.Event(), []
    watching = threading.Thread(target=watch, args=(folder, ended, faults))
    watching.start()
    shared = ["run", *words, "--learning-rate", "0.1,0.5", "--json", "--name", "both"]
    processes = [start(*shared, *(word for name in names for word in ("-o", name))) for names in asked]
    tables = [json.loads(process.communicate(timeout=120)[0]) for process in processes]
    ended.set()
    watching.join()
    assert [process.returncode for process in processes] == [0, 0]
    assert faults == []
    # Each tells of the cells that it was asked for, and leaves nothing but whole parts.
    assert [sorted(row["optimizer"] for row in table) for table in tables] == [sorted(names) for names in asked]
    every = sorted({name for names in asked for name in names})
    parts = sorted((folder / "parts").iterdir())
    assert sorted(read_part(path).record.optimizer for path in parts) == every
    alone = rows(tiny("alone", optimizers=every))
    assert {path.stem for path in parts} == alone.keys()
    assert rows(optbench.load("both", tmp_path / "results")).items() <= alone.items()


def test_a_run_tells_of_its_own_cells(tiny, monkeypatch):
    """Another run of the name has written its manifest by the time that this one ends."""
    from optbench.store.manifest import write_manifest

    other = tiny(optimizers=["adam"]).manifest
    write = write_manifest

    def overtaken(folder, manifest):
        written = write(folder, manifest)
        write(folder, other)
        return written

    monkeypatch.setattr("optbench.runner.run.write_manifest", overtaken)
    run = tiny()
    assert [cell["optimizer"] for cell in run.manifest["cells"]] == ["sgd"]
    assert [part.record.optimizer for part in run.parts] == ["sgd"]
    assert [cell["optimizer"] for cell in optbench.load(run.folder).manifest["cells"]] == ["adam"]
