"""The trials of a part: read in order, a phase or some columns of them, and told in one line where they are damaged."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from optbench.errors import StoreError
from optbench.store import trials
from optbench.store.parts import part_path, read_part, write_part
from optbench.store.schema import trial_rows
from optbench.store.trials import measured_columns, read_batches, read_rows

TRIAL = {
    "phase": "select",
    "problem": "bowl",
    "optimizer": "sgd",
    "dtype": "float32",
    "seed": 1,
    "step": np.arange(3),
    "examples": np.arange(3) * 32,
    "train_loss": np.array([1.0, np.inf, np.nan]),
    "train_margin": np.array([1.0, 2.0, 3.0]),
}


@pytest.mark.parametrize("phase", ["select", "report"])
def test_one_phase_is_read(tmp_path, phase, record):
    rows = [TRIAL | {"phase": name, "seed": seed} for name in ("select", "report") for seed in (0, 1)]
    write_part(tmp_path, "key", trial_rows(rows), record())
    read = read_rows([read_part(part_path(tmp_path, "key"))], phase=phase).to_pylist()
    assert [(row["phase"], row["seed"]) for row in read] == [(phase, 0), (phase, 1)]


def test_one_phase_is_read_without_the_other(grouped):
    """What lies before the report trials may be anything."""
    part = read_part(grouped)
    with pq.ParquetFile(grouped) as file:
        losses = file.metadata.row_group(1).column(file.metadata.row_group(1).num_columns - 1)
    whole, start = grouped.read_bytes(), losses.data_page_offset
    grouped.write_bytes(
        whole[:start] + bytes(losses.total_compressed_size) + whole[start + losses.total_compressed_size :]
    )
    assert [row["seed"] for row in read_rows([part], phase="report").to_pylist()] == [0, 1]
    with pytest.raises(StoreError, match=r"can't read .*key\.parquet: ") as caught:
        read_rows([part])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("phase", [None, "select", "report"])
def test_a_part_of_one_row_group_is_read_the_same(grouped, phase):
    """As parts were written before."""
    expected = repr(read_rows([read_part(grouped)], phase=phase).to_pylist())
    with pq.ParquetFile(grouped) as file:
        table = file.read()
    pq.write_table(table, grouped, compression="zstd", write_page_checksum=True)
    with pq.ParquetFile(grouped) as file:
        assert file.num_row_groups == 1
    assert repr(read_rows([read_part(grouped)], phase=phase).to_pylist()) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_batches_are_the_rows_in_order(grouped, monkeypatch, size):
    monkeypatch.setattr(trials, "BATCH_TRIALS", size)
    batches = list(read_batches(read_part(grouped), ["seed"]))
    assert max(map(len, batches)) <= size
    assert [row for batch in batches for row in batch.to_pylist()] == [{"seed": seed} for seed in (0, 1, 2, 3, 4, 0, 1)]


def test_measured_are_the_lists_that_hold_anything(tmp_path, record):
    """A metric that is NaN all over was measured; one that is null was not."""
    rows = [TRIAL, TRIAL | {"train_loss": None, "train_rank": np.full(3, np.nan)}]
    write_part(tmp_path, "key", trial_rows(rows), record())
    names = ["step", "examples", "train_loss", "train_margin", "train_rank"]
    assert measured_columns(read_part(part_path(tmp_path, "key"))) == names
    write_part(tmp_path, "key", trial_rows([]), record())
    assert measured_columns(read_part(part_path(tmp_path, "key"))) == []


def test_parts_of_different_metrics_are_read_together(tmp_path, record):
    other = {name: value for name, value in TRIAL.items() if name != "train_margin"} | {"train_rank": np.ones(3)}
    write_part(tmp_path, "a", trial_rows([TRIAL]), record())
    write_part(tmp_path, "b", trial_rows([other]), record())
    rows = read_rows([read_part(part_path(tmp_path, name)) for name in "ab"]).to_pylist()
    assert [row["train_margin"] for row in rows] == [[1, 2, 3], None]
    assert [row["train_rank"] for row in rows] == [None, [1, 1, 1]]


def test_nothing_is_read_of_nothing():
    assert read_rows([]).to_pylist() == []
