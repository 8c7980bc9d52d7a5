"""What no run may do: end below the known optimum."""

import pytest

from bench.rows import BelowOptimumError, check_optimum


def ends(*last, first=2.0):
    return [{"train_loss": [first, loss]} for loss in last]


@pytest.mark.parametrize(
    ("last", "dtype"),
    [
        ((1.0, 1.5), "float32"),
        ((float("nan"), float("inf")), "float32"),
        # Rounding: 100 units in the last place of the initial loss 2, which are 2.4e-5 and 4.4e-14.
        ((1.0 - 2.3e-5,), "float32"),
        ((1.0 - 4.4e-14,), "float64"),
    ],
    ids=["above", "not-finite", "rounded-32", "rounded-64"],
)
def test_at_the_optimum_is_right(last, dtype):
    check_optimum(ends(*last), 1.0, dtype)


@pytest.mark.parametrize(("last", "dtype"), [(0.9, "float32"), (1.0 - 2.5e-5, "float32"), (1.0 - 5e-14, "float64")])
def test_below_the_optimum_is_wrong(last, dtype):
    with pytest.raises(BelowOptimumError, match=r"below the known optimum 1\.0"):
        check_optimum(ends(1.5, last), 1.0, dtype)


def test_without_an_optimum_anything_goes():
    check_optimum(ends(-1e9), None, "float32")
