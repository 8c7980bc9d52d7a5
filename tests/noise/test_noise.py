"""10,000 damaged or random inputs: each is refused in one line or read, and nothing else comes out."""

import io
import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optbench.errors import StoreError
from optbench.history.entries import read_history, read_samples, write_entry
from optbench.problems import data_files
from optbench.request import (
    DefaultRange,
    RequestError,
    load_suite,
    parse_counts,
    parse_schedule,
    parse_seconds,
    parse_spec,
    parse_values,
)
from optbench.request.grid import parse_batch_sizes, points
from optbench.request.schedule import parse_schedules
from optbench.results import load
from optbench.store.manifest import read_manifest
from optbench.store.parts import Part, TornPart, part_path, read_part
from optbench.store.timings import read_timings, write_timing
from optbench.store.trials import measured_columns, read_rows


def grid(text):
    """Read a spec's values, but for ranges that an optimizer still has to fill."""
    found = parse_spec(text).parameters
    return {key: [value for value in values if not isinstance(value, DefaultRange)] for key, values in found.items()}


PARSERS = [
    parse_values,
    parse_spec,
    parse_schedule,
    parse_schedules,
    parse_batch_sizes,
    lambda text: parse_seconds(text, "min_time"),
    lambda text: parse_counts(text, "parameters"),
    lambda text: points(grid(text)),
]
TEXTS = ["adamw[b1=0.8:0.95:3,weight_decay=0,0.1]", "1e-4:1e-1:4,default:8", 'mlp[act=relu,name="a,b"]', "200ms"]
TEXTS += ["cosine[warmup=0.1],wsd", "32,128,full", "1e6,1e7", "1:2:1000000000", "9**9**9", "__import__('os')"]
PIECES = st.sampled_from([*"[]=,:\"'\\.eE+-*?0123456789 \n\0é", "inf", "nan", "1e999", "9" * 400, "default:", "true"])
#: Where, what is done there, and with what.
CHANGES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5), st.binary(max_size=8)), min_size=1, max_size=4)


def _npz() -> bytes:
    np.savez(file := io.BytesIO(), x=np.ones((3, 2)), y=np.arange(3.0))
    return file.getvalue()


#: How a file's name ends -> what it holds.
DATA = {
    ".csv": b"a,b,y\n1,2,0\n3,4,1\n",
    ".libsvm": b"1 1:2 3:4\n0 2:1\n",
    ".npz": _npz(),
    "-images-idx3-ubyte": bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4]),
}


def noise(cases: int):
    """Try so many cases, the same ones each time."""
    fixtures = [HealthCheck.function_scoped_fixture]
    return settings(
        max_examples=cases,
        derandomize=True,
        database=None,
        deadline=timedelta(seconds=20),
        suppress_health_check=fixtures,
    )


def damage(content: bytes, changes) -> bytes:
    """Flip, overwrite, cut off, leave out, insert or zero bytes."""
    for share, kind, piece in changes:
        at, after = int(share * len(content)), content[int(share * len(content)) :]
        flipped = bytes([after[0] ^ (1 << len(piece) % 8)]) + after[1:] if after else b""
        after = [flipped, piece + after[len(piece) :], b"", after[len(piece) + 1 :], piece + after, bytes(len(after))]
        content = content[:at] + after[kind]
    return content


def refused(call, *accepted: type[Exception]) -> bool:
    """Tell whether a call refuses what it is given, in one line."""
    try:
        call()
    except accepted as error:
        if "\n" in str(error):
            pytest.fail(f"several lines: {error}")
        return True
    return False


@noise(2500)
@given(st.text() | st.lists(PIECES | st.sampled_from(TEXTS), max_size=12).map("".join))
def test_words(text):
    for parse in PARSERS:
        refused(lambda parse=parse: parse(text), RequestError)


@noise(500)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_a_suite_of_anything(tmp_path, content):
    (tmp_path / "suite.toml").write_bytes(content)
    refused(lambda: load_suite(tmp_path / "suite.toml"), RequestError)


SUITES = [Path(load_suite.__code__.co_filename).parent / "suites" / f"{name}.toml" for name in ("smoke", "quick")]


@noise(1000)
@given(st.sampled_from(SUITES), CHANGES)
def test_a_damaged_suite(tmp_path, suite, changes):
    (tmp_path / "suite.toml").write_bytes(damage(suite.read_bytes(), changes))
    refused(lambda: load_suite(tmp_path / "suite.toml"), RequestError)


@noise(1500)
@given(CHANGES, st.binary(max_size=64), st.integers(0, 9))
def test_a_damaged_part(whole_part, changes, other, kind):
    path, whole = whole_part
    path.write_bytes(damage(whole, changes) if kind else other)
    part = read_part(path)
    assert isinstance(part, Part | TornPart)
    if isinstance(part, Part):
        refused(lambda: read_rows([part]), StoreError)
        refused(lambda: measured_columns(part), StoreError)


@noise(1000)
@given(CHANGES, st.binary(max_size=64), st.integers(0, 9))
def test_a_damaged_manifest(whole_manifest, changes, other, kind):
    folder, whole = whole_manifest
    (folder / "manifest.json").write_bytes(damage(whole, changes) if kind else other)
    if not refused(lambda: read_manifest(folder), StoreError):
        refused(lambda: load(folder), StoreError)


@noise(1000)
@given(CHANGES, st.binary(max_size=64), st.booleans())
def test_a_damaged_timing(tmp_path, timing, changes, other, whole):
    write_timing(tmp_path, timing())
    path = tmp_path / "timings" / "key.json"
    path.write_bytes(damage(path.read_bytes(), changes) if whole else other)
    assert set(read_timings(tmp_path, ["key"])) <= {"key"}


@noise(1000)
@given(CHANGES, st.binary(max_size=64), st.integers(0, 9))
def test_a_damaged_entry(whole_entry, changes, other, kind):
    path, whole = whole_entry
    path.write_bytes(damage(whole, changes) if kind else other)
    if not refused(lambda: read_history(str(path.parent)), StoreError):
        history = read_history(str(path.parent))
        refused(lambda: read_samples(history, history.entries), StoreError)


@pytest.mark.filterwarnings("ignore::optbench.problems.data_table.DataWarning")
@noise(1500)
@given(st.sampled_from([*DATA]), CHANGES, st.binary(max_size=64), st.booleans())
def test_damaged_data(tmp_path, kind, changes, other, whole):
    path = tmp_path / f"data{kind}"
    (tmp_path / "data-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 0, 1]))
    path.write_bytes(damage(DATA[kind], changes) if whole else other)
    refused(lambda: data_files.read(path), ValueError)


@pytest.fixture
def whole_part(handmade):
    path = handmade("sgd", [[3.0, 2.0, 1.0]]).path
    return path, path.read_bytes()


@pytest.fixture
def whole_manifest(handmade):
    folder = part_path(handmade("sgd", [[3.0, 2.0, 1.0]]).path.parents[1], "").parents[1]
    return folder, (folder / "manifest.json").read_bytes()


@pytest.fixture
def whole_entry(tmp_path):
    about = {"time": "2026-01-01T00:00:00Z", "label": "v1", "versions": {"jax": "0"}, "machine": "m", "device": "cpu"}
    row = {"problem": "p", "optimizer": "o", "measure": "gap", "value": 1.0, "seeds": [0], "samples": [1.0]}
    write_entry(str(tmp_path / "history"), about, [row])
    (path,) = (tmp_path / "history").iterdir()
    return path, path.read_bytes()


def test_there_are_ten_thousand():
    counted = re.findall(r"^@noise\((\d+)\)$", Path(__file__).read_text(encoding="utf-8"), re.MULTILINE)
    assert sum(map(int, counted)) == 10_000
