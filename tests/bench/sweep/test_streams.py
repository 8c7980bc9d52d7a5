import numpy as np
import pytest

from optbench.sweep.streams import batch_rows, key_data, trial_name

TRIALS = [trial_name(0, "select", seed) for seed in range(3)]


def test_an_epoch_holds_every_row_at_most_once_and_drops_the_remainder():
    rows = batch_rows(TRIALS, 10, 3, 0, 6)[:, 0]
    first, second = rows[:3].ravel(), rows[3:].ravel()
    assert len(set(first)) == len(set(second)) == 9
    assert first.tolist() != second.tolist()
    assert rows.max() < 10
    assert rows.min() >= 0


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (2, 7), (5, 6), (3, 12)])
def test_a_step_has_the_same_batch_wherever_its_chunk_begins(start, stop):
    whole = batch_rows(TRIALS, 10, 3, 0, 12)
    np.testing.assert_array_equal(batch_rows(TRIALS, 10, 3, start, stop), whole[start:stop])


def test_streams_differ_by_seed_phase_purpose_and_batch_size():
    names = [trial_name(base, phase, seed) for base in (0, 1) for phase in ("select", "report") for seed in (0, 1)]
    drawn = {key_data([name], purpose).tobytes() for name in names for purpose in ("init", "loss")}
    assert len(drawn) == 16
    small, large = batch_rows(TRIALS, 100, 10, 0, 10), batch_rows(TRIALS, 100, 20, 0, 5)
    assert small[:, 0].ravel().tolist() != large[:, 0].ravel().tolist()


def test_a_stream_is_fixed_for_good():
    # Written down once: should numpy's Philox or the naming ever change, every stored number would silently differ.
    assert batch_rows(["0/select/0"], 8, 4, 0, 2)[:, 0].tolist() == [[2, 0, 4, 1], [6, 3, 7, 5]]


def test_every_row_is_drawn_equally_often():
    rows = batch_rows(TRIALS[:1], 10, 3, 0, 3 * 1000)[:, 0]
    counts = np.bincount(rows.ravel(), minlength=10)
    # 1,000 epochs of 9 of 10 rows: 900 each, standard deviation sqrt(1000 * .9 * .1) = 9.5.
    assert np.abs(counts - 900).max() < 5 * 9.5
