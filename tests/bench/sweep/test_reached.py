"""From which record on a target counts as reached, by the running median, on records written by hand."""

import numpy as np
import pytest

from optbench.sweep.reached import half_span, reached


def first(records, **fields):
    """Return the first record that counts, of a trial whose records meet the target where there is an x."""
    return reached(np.array([[record == "x" for record in records]]), **fields).tolist()[0]


@pytest.mark.parametrize(
    ("records", "record"),
    [
        *(("x", 0), (".", -1), ("xxx", 0), ("..xx", 2), (".....x", 5), ("xxxxx.", -1)),
        # The second and the last but one are in the middle of three records.
        *((".xx", 1), ("x.x", 0), ("xx.x", 0), ("x..x", 3)),
        # Others in the middle of five.
        *(("....xx.xx....", -1), ("....xx.xx", 5), ("....x.x.xx", 6), (".....x..xxx", 7), ("..x.x.xx.xx", 4)),
    ],
)
def test_it_is_the_first_from_which_on_most_of_five_records_meet_it(records, record):
    assert first(records) == record


def test_a_span_grows_with_the_records():
    """Of 501 it is 25: twelve records in a row that miss the target never are most of them."""
    assert [half_span(num) for num in (1, 50, 101, 139, 141, 501, 1001)] == [2, 2, 2, 3, 3, 12, 25]
    long = "." * 100 + "x" * 200
    assert first(long + "." * 12 + "x" * 189) == 100
    # Thirteen are, up to where the first of them is out of sight.
    assert first(long + "." * 13 + "x" * 188) == 300 + 13


def test_each_trial_is_looked_at_up_to_its_own_end():
    met = np.array([[record == "x" for record in text] for text in (".xx..", ".xxxx", "...xx", "xxxxx", "xx...")])
    assert reached(met).tolist() == [-1, 1, 3, 0, -1]
    assert reached(met, lengths=np.array([3, 3, 3, 1, 2])).tolist() == [1, 1, -1, 0, 0]
    # Without any record nothing is reached.
    assert reached(met, lengths=np.array([2, 5, 4, 0, 0])).tolist() == [1, 1, 3, -1, -1]
