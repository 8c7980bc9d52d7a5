"""What tests of the store share: a part of several row groups."""

import numpy as np
import pytest

from optbench.store import schema
from optbench.store.parts import part_path, write_part
from optbench.store.schema import trial_rows


@pytest.fixture
def grouped(tmp_path, monkeypatch, record):
    """Write a part of 5 selecting and 2 reporting trials, two to a row group, and return its path."""
    monkeypatch.setattr(schema, "GROUP_TRIALS", 2)
    phases = [("select", seed) for seed in range(5)] + [("report", seed) for seed in range(2)]
    fixed = {"problem": "bowl", "optimizer": "sgd", "dtype": "float32", "step": np.arange(3)}
    rows = [{"phase": phase, "seed": seed} | fixed | {"train_loss": np.ones(3)} for phase, seed in phases]
    write_part(tmp_path, "key", trial_rows(rows), record())
    return part_path(tmp_path, "key")
