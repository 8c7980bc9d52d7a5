"""Results in object storage are what they are on a disk, and what can't be opened is told in one line."""

import os
import sys
from pathlib import Path

import pytest

import optbench
from optbench.errors import StoreError
from optbench.store import trials
from optbench.store.locations import as_store_error, children, locate, read_bytes, replace, write_file
from optbench.store.manifest import read_manifest, write_manifest
from optbench.store.parts import write_part
from optbench.store.runs import check_writable, list_runs
from optbench.store.timings import read_timings, write_timing

ASKED = {"problems": ["quadratic[dim=3,condition=2]"], "optimizers": ["sgd", "adam"], "learning_rate": "0.1,0.5"}
ASKED |= {"steps": 4, "seeds": 1, "report_seeds": 1, "records": 2, "throughput": False}


def test_a_path_is_a_path(tmp_path):
    assert locate("results/x") == locate(Path("results/x")) == Path("results/x")
    assert locate(f"file://{tmp_path}") == tmp_path
    assert isinstance(locate(f"file://{tmp_path}"), Path)


def test_a_tilde_is_the_user_s_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert locate("~/results") == locate(Path("~/results")) == Path("/home/somebody/results")
    assert locate(f"local://{Path('/results')}") == Path("/results")


def test_a_folder_is_made_with_those_above_it_and_once(tmp_path):
    for _ in "ab":
        write_file(tmp_path / "a" / "b" / "file", b"content")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"content"
    assert children(tmp_path / "a") == [tmp_path / "a" / "b"]
    (tmp_path / "a" / "0").mkdir()
    assert [path.name for path in children(tmp_path / "a")] == ["0", "b"]
    assert children(tmp_path / "a" / "b" / "file") == children(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    ("place", "fault", "raised"),
    [
        (Path("there"), OSError(13, "Permission denied"), (StoreError, "can't write there: Permission denied")),
        # A mistake of our own on a disk stays one; what speaks to object storage raises what it likes.
        (Path("there"), ZeroDivisionError("boom"), (ZeroDivisionError, "boom")),
        ("s3://there", ZeroDivisionError("boom"), (StoreError, "can't write s3://there: boom")),
        (Path("there"), StoreError("as it is"), (StoreError, "as it is")),
        ("s3://there", StoreError("as it is"), (StoreError, "as it is")),
    ],
    ids=str,
)
def test_a_fault_is_said_with_its_place(place, fault, raised):
    with pytest.raises(raised[0]) as caught, as_store_error("write", place):
        raise fault
    assert (type(caught.value), str(caught.value)) == raised


@pytest.mark.parametrize(
    "text", ["nosuch://bucket/x", "://x", "x://y", "github://x", "gs://bucket/x", "s3:x://y", "\0://x"]
)
def test_what_cannot_be_opened_is_one_line(text, monkeypatch):
    # A package that speaks to a cloud, where it isn't installed.
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(StoreError, match="can't open") as caught:
        locate(text)
    assert "\n" not in str(caught.value)


def test_temporary_names_differ_between_machines(tmp_path, monkeypatch):
    """Two machines that share a folder may have processes of the same number."""
    seen = []
    move = os.replace
    monkeypatch.setattr(os, "replace", lambda source, target: (seen.append(source), move(source, target)))
    for _ in range(2):
        replace(tmp_path / "key", lambda file: file.write(b"x"))
    assert len({*seen}) == 2 and all(path.name.startswith(".key.") for path in seen)


def test_any_file_system_will_do(handmade, tmp_path):
    """In memory there are folders, and one that is taken away is not made again."""
    part = handmade("sgd", [[3.0, 2.0, 1.0]])
    results = locate("memory://results")
    folder = results / "handmade"
    check_writable(folder)
    write_part(folder, part.path.stem, trials.read_rows([part]), part.record)
    write_manifest(folder, read_manifest(part.path.parents[1]))
    assert list_runs(results) == [folder] and [path.name for path in children(folder)]
    there, here = (optbench.load("handmade", one).convergence() for one in (results, tmp_path / "results"))
    assert there.to_records() == here.to_records()
    assert children(results / "nowhere") == []


@pytest.mark.parametrize("address", ["s3://nobucket/results", "s3://bench/results"])
def test_no_run_is_said(bucket, address):
    with pytest.raises(StoreError, match=f"no run 'latest' under {address}; there are: none yet"):
        optbench.load("latest", address)


def test_a_bucket_is_not_made(bucket):
    with pytest.raises(StoreError, match="can't write s3://nobucket/results/x: The specified bucket does not exist"):
        optbench.run(results="s3://nobucket/results", name="x", **ASKED)


def test_a_run_is_kept_and_resumed(bucket, rows, tmp_path):
    results, progress = f"{bucket}/results", []
    first = optbench.run(results=results, name="mine", **ASKED)
    assert str(first.folder) == f"{results}/mine"
    again = optbench.run(results=results, name="mine", on_progress=progress.append, **ASKED)
    assert [one.outcome for one in progress] == ["kept", "kept"]
    local = optbench.run(results=tmp_path, name="mine", **ASKED)
    assert rows(first) == rows(again) == rows(optbench.load("latest", results)) == rows(local)
    for kind in ("convergence", "best", "trials", "curves"):
        there, here = (one.table(kind).to_records() for one in (optbench.load(f"{results}/mine"), local))
        # As text, in which NaN equals itself.
        assert repr(there) == repr(here)
    assert list_runs(locate(results)) == [locate(f"{results}/mine")]
    names = {path.name for folder in ("mine", "mine/parts") for path in children(locate(results) / folder)}
    assert names == {"manifest.json", "parts"} | {part.path.name for part in local.parts}


def test_a_torn_object_is_set_aside_and_computed_again(bucket, rows):
    results, progress = f"{bucket}/results", []
    first = optbench.run(results=results, name="mine", **ASKED)
    expected, torn = rows(first), first.parts[0].path
    half = read_bytes(torn)[:-100]
    torn.write_bytes(half)
    loaded = optbench.load("mine", results)
    assert [part.path for part in loaded.torn] == [torn] and len(loaded.parts) == 1
    again = optbench.run(results=results, name="mine", on_progress=progress.append, **ASKED)
    said = [one.message for one in progress if one.outcome == "started"]
    assert said == [f"part {torn} is torn: kept as {torn.stem}.torn, computed again"]
    assert rows(again) == expected
    assert read_bytes(torn.with_name(f"{torn.stem}.torn")) == half


def test_timings_come_back(bucket, timing):
    folder = locate(f"{bucket}/results/mine")
    write_timing(folder, timing())
    assert read_timings(folder, ["key", "other"]) == {"key": timing()}


def test_no_network_is_one_line(bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    folder = locate(f"{bucket}/nowhere")
    folder.fs.retries = 1  # pyright: ignore[reportAttributeAccessIssue]
    for call in (check_writable, read_manifest, list_runs):
        with pytest.raises(StoreError, match="Could not connect") as caught:
            call(folder)
        assert "\n" not in str(caught.value)
