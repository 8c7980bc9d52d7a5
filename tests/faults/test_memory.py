"""A device with little memory: a cell is split, and its numbers are the same."""

import numpy as np
import pytest

pytestmark = pytest.mark.faults

#: As if the device had so little that no program fits: every part holds one point.
LITTLE = "import optbench.runner.train_cell; optbench.runner.train_cell.memory_limit_bytes = lambda *devices: 1"


def test_cells_that_do_not_fit_into_memory_are_split(optbench, two, tmp_path):
    """Up to rounding: XLA vectorises a program of another shape in another way, and sums and powers round so."""
    for name, before in (("whole", ""), ("split", LITTLE)):
        said = optbench(*two, "--name", name, before=before)
        assert said.returncode == 0
        assert said.stderr.count("points split into 2 parts of 1 to fit into memory") == (2 if before else 0)
    whole, split = (optbench.load(tmp_path / "results" / name).trials().to_records() for name in ("whole", "split"))
    assert [row["learning_rate"] for row in split] == [row["learning_rate"] for row in whole]
    losses = np.array([[row["train_loss"] for row in rows] for rows in (whole, split)])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    same = [place for place, row in enumerate(whole) if row["optimizer"] == "sgd"]
    assert losses[1, same].tolist() == losses[0, same].tolist()
