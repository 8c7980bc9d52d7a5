"""What tests of several tables share: cells that meet their target at a step, or fail."""

import pytest

#: Records of such a cell.
STEP = (0, 10, 20, 50)


@pytest.fixture(scope="session")
def reach():
    """Return the losses of a trial that reaches the target, 1, at a step: reach(10)."""
    return lambda at: [8.0 if step < at else 1.0 for step in STEP]


@pytest.fixture
def cell(handmade, reach):
    """Write a cell that meets the target after so many steps, one number per report seed."""
    return lambda name, *steps, **fields: handmade(name, [reach(at) for at in steps], step=STEP, **fields)


@pytest.fixture
def failed(handmade):
    """Write a cell that failed: failed("sgd")."""
    return lambda name: handmade(name, [], select=[], outcome="failed", message="boom")
