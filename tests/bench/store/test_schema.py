"""A part's table, made of whole columns or of single trials: the same table."""

import numpy as np
import pyarrow as pa
import pytest

from optbench.store import schema
from optbench.store.schema import trial_columns, trial_rows

NAMED = {"phase": "select", "problem": "bowl", "optimizer": "sgd", "batch_size": None, "dtype": "float32"}
LOSS = np.array([[1.0, np.inf], [np.nan, -0.0], [5e-324, 1 / 3]])


@pytest.mark.parametrize("group", [1, 2, 2000])
def test_columns_make_the_same_table_as_rows(monkeypatch, group):
    monkeypatch.setattr(schema, "GROUP_TRIALS", group)
    columns = NAMED | {
        "seed": np.array([0, 0, 1]),
        "hyperparameters": {"learning_rate": np.array([0.1, 0.2, 0.3]), "momentum": np.zeros(3)},
        "schedule": np.array(["constant", "cosine[warmup=0.1]", "constant"]),
        "diverged_at": np.ma.masked_less([7, -1, 0], 0),
        "step": np.broadcast_to([0, 4], (3, 2)),
        "train_loss": LOSS,
        "train_margin": LOSS,
    }
    tuned = [{"learning_rate": rate, "momentum": 0.0} for rate in (0.1, 0.2, 0.3)]
    rows = [
        NAMED | {"seed": seed, "hyperparameters": values, "schedule": schedule, "diverged_at": at, "step": [0, 4]}
        for seed, values, schedule, at in zip((0, 0, 1), tuned, columns["schedule"], (7, None, 0), strict=True)
    ]
    rows = [row | {"train_loss": loss, "train_margin": loss} for row, loss in zip(rows, LOSS, strict=True)]
    made, expected = trial_columns(columns, 3), trial_rows(rows)
    assert made.schema == expected.schema
    # repr tells floats apart to the last bit, and NaN equals itself in it.
    assert repr(made.to_pylist()) == repr(expected.to_pylist())


def test_what_is_lacking_is_null():
    table = trial_columns({"phase": "select"}, 2)
    assert table.num_rows == 2
    assert [name for name in table.column_names if table[name].null_count == 0] == ["phase"]


def test_a_number_too_large_for_its_column_is_refused():
    with pytest.raises(pa.ArrowInvalid):
        trial_columns({"seed": np.array([2**31])}, 1)


def test_losses_are_not_copied():
    losses = np.ones((3, 2))
    table = trial_columns({"train_loss": losses}, 3)
    losses[:] = 2
    assert table["train_loss"].to_pylist() == [[2, 2]] * 3
