"""What a run's folder holds of some cells: each as `read_part` tells it, in the order asked."""

import os
import subprocess
import sys

import pytest

from optbench.store import parallel
from optbench.store.parts import part_path, read_part, write_part
from optbench.store.scan import scan
from optbench.store.schema import trial_rows

ROW = {"phase": "select", "problem": "bowl", "optimizer": "sgd", "seed": 0, "point": 0, "train_loss": [1.0, 0.5]}


@pytest.fixture
def folder(tmp_path, record):
    for key, outcome in (("b", "finished"), ("a", "failed"), ("c", "finished"), ("other", "finished")):
        write_part(tmp_path, key, trial_rows([ROW]), record(outcome=outcome))
    whole = part_path(tmp_path, "c").read_bytes()
    # The last byte before the footer belongs to a page.
    last = len(whole) - 9 - int.from_bytes(whole[-8:-4], "little")
    part_path(tmp_path, "c").write_bytes(whole[:last] + bytes([whole[last] ^ 1]) + whole[last + 1 :])
    return tmp_path


@pytest.mark.parametrize("taken", [1, 2, 64])
def test_each_is_told_in_order_and_the_absent_left_out(folder, monkeypatch, taken):
    monkeypatch.setattr(parallel, "TAKEN", taken)
    found = scan(folder, ["c", "missing", "a", "b", "a"])
    assert {key: part.outcome for key, part in found.items()} == {"c": "torn", "a": "failed", "b": "finished"}
    assert list(found) == ["c", "a", "b"]
    assert all(part == read_part(part_path(folder, key)) for key, part in found.items())


def test_nothing_is_found_where_there_is_nothing(tmp_path):
    assert scan(tmp_path / "nowhere", ["a"]) == {}
    assert scan(tmp_path, []) == {}


def test_what_one_raises_is_raised(monkeypatch):
    monkeypatch.setattr(parallel, "TAKEN", 1)
    with pytest.raises(ZeroDivisionError):
        list(parallel.spread(lambda some: [1 // one for one in some], [1, 0, 2]))


@pytest.fixture
def two_processes(monkeypatch):
    for name, value in (("TAKEN", 1), ("MANY", 2), ("LEAST", 1), ("_num_cores", lambda: 2)):
        monkeypatch.setattr(parallel, name, value)


def test_processes_find_the_same(folder, two_processes):
    keys = ["c", "missing", "a", "b"]
    assert [*scan(folder, keys).items()] == [(key, read_part(part_path(folder, key))) for key in "cab"]


def test_processes_are_others_and_raise_what_is_raised(two_processes):
    assert os.getpid() not in {*parallel.spread(_processes, [1, 2, 3], processes=True)}
    with pytest.raises(ZeroDivisionError):
        list(parallel.spread(_processes, [1, 0, 2], processes=True))


def _processes(some):
    return [1 // one and os.getpid() for one in some]


def test_a_script_that_guards_nothing_is_not_run_again(folder, tmp_path):
    script = tmp_path / "script.py"
    lines = [
        "from pathlib import Path",
        "from optbench.store import parallel",
        "from optbench.store.scan import scan",
        "parallel.TAKEN, parallel.MANY, parallel.LEAST, parallel._num_cores = 1, 2, 1, lambda: 2",
        f"print(*[part.outcome for part in scan(Path({str(folder)!r}), 'abc').values()])",
    ]
    script.write_text("\n".join(lines))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("failed finished torn\n", "")
