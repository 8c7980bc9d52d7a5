"""Streams of sequences whose smallest loss is known.

Each task is a function of uniform numbers, so that a stream draws it from jax's keys and the fixed rows of its
evaluation come from numpy's RandomState, whose stream never changes.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from optbench.problems import accept
from optbench.problems.networks._chain import entropy, next_token_table, stationary
from optbench.problems.networks._task import Rows, Task

#: Symbols that `copy` has to remember, and the letters they are drawn from.
NUM_COPIED, NUM_LETTERS = 10, 8
LN_2 = math.log(2)
#: Remaining share of the error of adding at which it counts as learned: at length 20 muon left 0.1, the others
#: 0.3 to 0.9.
ADDING_SHARE = 0.2
#: Remaining share of the learnable nats at which a chain's loss counts as reached.
MARKOV_SHARE = 0.03


def adding(length: int, seed: int) -> Task:
    """Return the task of adding two marked numbers, one in each half, of `length` in [0, 1], at the last position."""
    accept.whole("length", length, low=2)
    half = length // 2

    def build(u: Any) -> Rows:
        xp = u.__array_namespace__()
        values, first, second = u[:, :length], u[:, length] * half, half + u[:, length + 1] * (length - half)
        positions = xp.arange(length)[None, :]
        marks = [xp.floor(index)[:, None].astype(positions.dtype) == positions for index in (first, second)]
        is_marked = (marks[0] | marks[1]).astype(u.dtype)
        return xp.stack([values, is_marked], axis=-1), xp.sum(values * is_marked, axis=1)[:, None]

    # two uniform numbers: the variance of their sum is 1/6
    fields = {"num_inputs": 2, "num_outputs": 1, "scored": slice(-1, None), "squared": True}
    fields |= {"baseline": 1 / 6, "target": ADDING_SHARE / 6}
    return _stream(build, length + 2, 128, seed, **fields)


def copy(length: int, seed: int) -> Task:
    """Return the task of copying ten of eight letters after `length` blanks (8), of which the last is a mark (9)."""
    accept.whole("length", length)

    def build(u: Any) -> Rows:
        xp = u.__array_namespace__()
        letters = xp.floor(u * NUM_LETTERS).astype(xp.int32)
        blanks = xp.full((u.shape[0], length + NUM_COPIED), NUM_LETTERS, dtype=xp.int32)
        inputs = [letters, blanks[:, : length - 1], blanks[:, :1] + 1, blanks[:, :NUM_COPIED]]
        return xp.concat(inputs, axis=1), xp.concat([blanks, letters], axis=1)

    # blanks are known, letters are guessed
    baseline = NUM_COPIED * float(np.log(NUM_LETTERS)) / (length + 2 * NUM_COPIED)
    fields = {"num_inputs": NUM_LETTERS + 2, "num_outputs": NUM_LETTERS + 1, "scored": slice(None)}
    return _stream(build, NUM_COPIED, 64, seed, baseline=baseline, target=0.9 * baseline, **fields)


def parity(length: int, seed: int) -> Task:
    """Return the task of the parity of the bits so far, at each bit after the first: no single bit tells it."""
    accept.whole("length", length, low=2)

    def build(u: Any) -> Rows:
        xp = u.__array_namespace__()
        bits = (u < 0.5).astype(xp.int32)
        return bits, (xp.cumulative_sum(bits, axis=1) % 2).astype(xp.int32)[:, 1:]

    return _stream(build, length, 128, seed, num_inputs=2, num_outputs=2, scored=slice(1, None), baseline=LN_2)


def recall(context: int, symbols: int, seed: int) -> Task:
    """Return the task of recalling the value of each key, when the keys come a second time, in another order.

    Keys are the tokens below context/4, each followed by one of `symbols` values; all are drawn anew for every row.
    Raises ValueError for values that are not accepted.
    """
    accept.whole("symbols", symbols, low=2)
    if not isinstance(context, int) or context < 8 or context % 4:
        raise accept.refuse("context", context, "a multiple of 4, at least 8, for induction")
    keys = context // 4

    def build(u: Any) -> Rows:
        xp = u.__array_namespace__()
        orders = [xp.argsort(uniforms, axis=1) for uniforms in (u[:, :keys], u[:, keys : 2 * keys])]
        queries = xp.concat(orders, axis=1)
        values = xp.floor(u[:, 2 * keys :] * symbols).astype(xp.int32)
        answers = keys + xp.take_along_axis(values, queries, axis=1)
        inputs = xp.stack([queries.astype(xp.int32), answers], axis=-1).reshape(u.shape[0], context)
        return inputs, answers[:, keys:]

    fields = {"num_inputs": keys + symbols, "num_outputs": keys + symbols, "scored": slice(2 * keys, None, 2)}
    return _stream(build, 3 * keys, 64, seed, baseline=float(np.log(symbols)), **fields)


def markov(length: int, symbols: int, order: int, seed: int) -> Task:
    """Return the task of the next token of a chain whose law depends on the last `order`, from its stationary law on.

    Only positions after so many tokens count: there the law is known, and its entropy is the floor.
    Raises ValueError for values that are not accepted, such as an order beyond the length.
    """
    accept.whole("length", length)
    accept.whole("symbols", symbols, low=2)
    accept.whole("order", order)
    if order > length or symbols**order > 1000:
        raise accept.refuse("order", order, f"at most {length} tokens, and symbols^order at most 1000")
    table = next_token_table(symbols, order, seed)
    law = stationary(table)
    below, first_below = np.cumsum(table, axis=1)[:, :-1], np.cumsum(law)[:-1]
    powers = symbols ** np.arange(order)[::-1]

    def build(u: Any) -> Rows:
        xp = u.__array_namespace__()
        steps = xp.asarray(below, dtype=u.dtype)

        def follow(state: Any, draw: Any) -> tuple[Any, Any]:
            token = xp.sum(steps[state] <= draw[:, None], axis=1, dtype=xp.int32)
            return (state * symbols + token) % len(table), token

        start = xp.sum(xp.asarray(first_below, dtype=u.dtype)[None] <= u[:, :1], axis=1, dtype=xp.int32)
        past = start[:, None] // xp.asarray(powers, dtype=xp.int32)[None] % symbols
        tokens = xp.concat([past, _scan(follow, start, u[:, 1:].T).T], axis=1)
        return tokens[:, :-1], tokens[:, order:]

    # one uniform number for the first state, one for each token that follows
    num_scored = length - order + 1
    fields = {"num_inputs": symbols, "num_outputs": symbols, "scored": slice(order - 1, None)}
    baseline = float(entropy(law @ table))
    task = _stream(build, 1 + num_scored, -(-512 // num_scored), seed, baseline, **fields)
    assert task.evaluation is not None
    inputs = task.evaluation[0]
    laws = table[np.lib.stride_tricks.sliding_window_view(inputs, order, axis=1) @ powers]
    floor = float(np.mean(entropy(laws)))
    return replace(task, evaluation=(inputs, laws), floor=floor, target=floor + MARKOV_SHARE * (baseline - floor))


def _stream(
    build: Callable[[Any], Rows], num_uniforms: int, rows: int, seed: int, baseline: float, **fields: Any
) -> Task:
    """Return a task with rows for its evaluation, and a tenth of its baseline as its target."""
    # not the seed itself, which drew the laws of a chain
    evaluation = build(np.random.RandomState(seed + 1).random_sample((rows, num_uniforms)))
    fields = {"floor": 0.0, "target": baseline / 10, "baseline": baseline} | fields
    return Task(build=build, num_uniforms=num_uniforms, evaluation=evaluation, **fields)


def _scan(step: Callable[[Any, Any], tuple[Any, Any]], carry: Any, draws: Any) -> Any:
    """Return the stacked outputs of steps: by a compiled loop for jax, by a plain one for numpy."""
    if not isinstance(draws, np.ndarray):
        return jax.lax.scan(step, carry, draws)[1]
    outputs = []
    for draw in draws:
        carry, output = step(carry, draw)
        outputs.append(output)
    return np.stack(outputs)
