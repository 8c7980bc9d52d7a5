"""Tasks on sequences are the ones they say, and their floors and baselines are exact."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.problems.networks import _sequences, _token_rows
from optbench.problems.networks._chain import entropy, next_token_table, stationary
from optbench.problems.networks._task import score

TASKS = {
    "adding": _sequences.adding(6, 0),
    "copy": _sequences.copy(5, 0),
    "parity": _sequences.parity(6, 0),
    "recall": _sequences.recall(12, 4, 0),
    "markov": _sequences.markov(9, 4, 2, 0),
}


@pytest.fixture(params=TASKS)
def task(request):
    return TASKS[request.param]


def uniforms(task, rows=7, seed=3):
    return np.random.RandomState(seed).random_sample((rows, task.num_uniforms))


def test_jax_and_numpy_build_the_same_rows(task):
    u = uniforms(task)
    with jax.enable_x64(True), jax.numpy_rank_promotion("raise"):
        traced = jax.jit(task.build)(jnp.asarray(u))
    for ours, theirs in zip(task.build(u), traced, strict=True):
        assert ours.dtype == theirs.dtype and ours.dtype in (np.int32, np.float64)
        np.testing.assert_array_equal(ours, theirs)


def test_rows_have_a_target_for_each_scored_position(task):
    inputs, targets = task.evaluation
    assert len(inputs) == len(targets)
    assert targets.shape[1] == len(range(inputs.shape[1])[task.scored])


def test_adding_marks_one_number_in_each_half():
    inputs, targets = TASKS["adding"].build(uniforms(TASKS["adding"], 500))
    values, marks = inputs[..., 0], inputs[..., 1]
    assert (marks[:, :3].sum(1) == 1).all() and (marks[:, 3:].sum(1) == 1).all()
    assert (marks.sum(0) > 120).all()
    np.testing.assert_allclose(targets[:, 0], [row[mark == 1].sum() for row, mark in zip(values, marks, strict=True)])


def test_the_mean_misses_a_sum_by_a_sixth():
    task = _sequences.adding(20, 0)
    targets = task.build(uniforms(task, 50_000))[1]
    assert task.baseline == pytest.approx(1 / 6)
    # the variance of the squared error is 1/5 - 1/36 * 7/5: known to 0.6 % here
    assert np.var(targets) == pytest.approx(1 / 6, rel=0.03)


def test_copy_is_letters_then_blanks_then_a_mark():
    letters = np.arange(10) % 8
    inputs, targets = TASKS["copy"].build((letters[None] + 0.5) / 8)
    assert inputs[0].tolist() == [*letters, 8, 8, 8, 8, 9, *[8] * 10]
    assert targets[0].tolist() == [*[8] * 15, *letters]
    assert TASKS["copy"].baseline == pytest.approx(10 * np.log(8) / 25)


def test_parity_is_that_of_the_bits_so_far():
    inputs, targets = TASKS["parity"].build(np.array([[0.1, 0.9, 0.2, 0.8, 0.3, 0.4]]))
    assert inputs.tolist() == [[1, 0, 1, 0, 1, 1]] and targets.tolist() == [[1, 0, 0, 1, 0]]


def test_no_bit_tells_anything_about_a_parity():
    # all 64 rows of six bits: the loss without memory is then exactly log 2
    bits = (np.arange(64)[:, None] >> np.arange(6)) & 1
    inputs, targets = TASKS["parity"].build(1 - bits - 0.5 * (1 - 2 * bits) * 0.5)
    assert (inputs == bits).all()
    for place in range(5):
        for value in (0, 1):
            assert targets[inputs[:, place + 1] == value, place].mean() == 0.5


def test_recall_asks_for_each_key_once_more():
    inputs, targets = TASKS["recall"].build(uniforms(TASKS["recall"], 200))
    keys, values = inputs[:, ::2], inputs[:, 1::2]
    assert (np.sort(keys[:, :3]) == [0, 1, 2]).all() and (np.sort(keys[:, 3:]) == [0, 1, 2]).all()
    assert values.min() == 3 and values.max() == 6
    for row in range(200):
        held = dict(zip(keys[row, :3], values[row, :3], strict=True))
        assert [held[key] for key in keys[row, 3:]] == targets[row].tolist() == values[row, 3:].tolist()
    # the second order does not follow from the first
    assert 0.1 < (keys[:, :3] == keys[:, 3:]).all(1).mean() < 0.25


def brute_force_law(table, order):
    """Find the stationary law as that of a long walk of probabilities, averaged over its last steps."""
    num_states, symbols = table.shape
    law = np.full(num_states, 1 / num_states)
    for _ in range(3000):
        after = np.zeros(num_states)
        for state in range(num_states):
            for token in range(symbols):
                after[(state * symbols + token) % symbols**order] += law[state] * table[state, token]
        if np.abs(after - law).max() < 1e-15:
            break
        law = after
    return law


@pytest.mark.parametrize(("symbols", "order"), [(2, 1), (4, 1), (3, 2), (2, 3)])
def test_the_stationary_law_is_where_a_walk_ends(symbols, order):
    table = next_token_table(symbols, order, 5)
    np.testing.assert_allclose(table.sum(1), 1)
    np.testing.assert_allclose(stationary(table), brute_force_law(table, order), atol=1e-12)


def test_entropies_of_a_chain_by_hand():
    table = np.array([[0.5, 0.5], [0.25, 0.75]])
    np.testing.assert_allclose(stationary(table), [1 / 3, 2 / 3])
    np.testing.assert_allclose(entropy(table), [np.log(2), 0.5 * np.log(2) + 0.75 * np.log(4 / 3)])


def test_the_floor_of_a_chain_is_near_its_entropy_rate_and_below_what_one_token_alone_allows():
    table = next_token_table(6, 2, 0)
    rate = brute_force_law(table, 2) @ entropy(table)
    # its standard deviation over seeds is about 0.02
    floors = [_sequences.markov(40, 6, 2, 0).floor, *(_rows_floor(table, seed) for seed in range(5))]
    assert np.mean(floors) == pytest.approx(rate, abs=0.05)
    assert floors[0] < _sequences.markov(40, 6, 2, 0).baseline < np.log(6)


def _rows_floor(table, seed):
    task = _sequences.markov(40, 6, 2, 0)
    inputs = task.build(uniforms(task, 13, seed))[0]
    return entropy(table[6 * inputs[:, :-1] + inputs[:, 1:]]).mean()


def test_a_chain_walks_by_its_table():
    task, table = TASKS["markov"], next_token_table(4, 2, 0)
    inputs, targets = task.build(uniforms(task, 20_000))
    states = 4 * inputs[:, :-1] + inputs[:, 1:]
    law = stationary(table)
    # every position has the stationary law, the first as well as the last
    for place in (0, -1):
        np.testing.assert_allclose(np.bincount(states[:, place], minlength=16) / 20_000, law, atol=0.015)
    state = int(np.argmax(law))
    seen = targets[states == state]
    np.testing.assert_allclose(np.bincount(seen, minlength=4) / len(seen), table[state], atol=0.015)


def test_the_true_law_reaches_the_floor_and_nothing_gets_below():
    task, table = TASKS["markov"], next_token_table(4, 2, 0)
    inputs, laws = task.evaluation
    with jax.enable_x64(True):
        oracle = jnp.log(table[4 * inputs[:, :-1] + inputs[:, 1:]])
        assert float(score(task, oracle, jnp.asarray(laws))["loss"]) == pytest.approx(task.floor, rel=1e-12)
        for scale in (1e-4, 1e-2, 1.0, 30.0):
            noise = scale * jax.random.normal(jax.random.key(0), oracle.shape)
            assert score(task, oracle + noise, jnp.asarray(laws))["loss"] > task.floor
        # adding a number to all logits of a position changes nothing
        assert float(score(task, oracle + 3.0, jnp.asarray(laws))["loss"]) == pytest.approx(task.floor, rel=1e-12)


def test_modular_addition_holds_out_pairs_and_no_sums():
    task = _token_rows.modular_addition(7, 0.3, 0)
    (train, train_sums), (test, test_sums) = task.train, task.test
    assert len(train) == 34 and len(test) == 15
    pairs = {tuple(row[:2]) for row in np.r_[train, test].tolist()}
    assert len(pairs) == 49 and (train[:, 2] == 7).all()
    assert (train_sums[:, 0] == (train[:, 0] + train[:, 1]) % 7).all()
    assert (test_sums[:, 0] == (test[:, 0] + test[:, 1]) % 7).all()


def test_text_is_cut_into_windows_of_both_parts(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(bytes(range(100)))
    task = _token_rows.text(str(path), 9, 0.2)
    (inputs, targets), (held, _) = task.train, task.test
    assert inputs.shape == targets.shape == (8, 9) and held.shape == (2, 9)
    assert (targets == inputs + 1).all() and inputs.max() < 80 <= held.min()
    # no window holds a byte of another
    assert len(np.unique(np.c_[inputs, targets[:, -1:]])) == 80


def test_entropies_of_a_text_by_hand(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"abab" * 500 + b"a")
    task = _token_rows.text(str(path), 4, 0.0)
    # one of two bytes, and the other one next
    assert task.baseline == pytest.approx(np.log(2), rel=1e-3) and task.target == pytest.approx(np.log(2) / 2, rel=1e-3)
    assert task.test is None
