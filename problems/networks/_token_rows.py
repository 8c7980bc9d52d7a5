"""Sets of token rows that are split into training and test rows."""

from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from optbench.problems import accept
from optbench.problems.data import num_held_out
from optbench.problems.networks._chain import entropy
from optbench.problems.networks._task import Rows, Task

#: Windows of a text that are used at most, for training and for the test alike.
MAX_WINDOWS = 500


def modular_addition(modulus: int, test_fraction: float, seed: int, validation_fraction: float = 0.0) -> Task:
    """Return the task of (a + b) mod `modulus` after the tokens a, b and =; a share of all pairs is held out.

    Raises ValueError for a modulus below 2, and without a pair to train on.
    """
    accept.whole("symbols", modulus, low=2)
    pairs = np.stack(np.divmod(np.random.RandomState(seed).permutation(modulus**2), modulus), axis=1)
    inputs = np.c_[pairs, np.full(len(pairs), modulus)].astype(np.int32)
    sums = (pairs.sum(axis=1, keepdims=True) % modulus).astype(np.int32)
    num_test = round(test_fraction * len(pairs))
    if num_test == len(pairs):
        raise accept.refuse(
            "test_fraction", test_fraction, f"a share that leaves one of {len(pairs)} pairs to train on"
        )
    baseline = float(np.log(modulus))
    held_out = num_test + num_held_out(len(pairs) - num_test, validation_fraction)
    return Task(
        num_inputs=modulus + 1,
        num_outputs=modulus + 1,
        scored=slice(-1, None),
        floor=0.0,
        baseline=baseline,
        target=baseline / 10,
        train=(inputs[held_out:], sums[held_out:]),
        validation=(inputs[num_test:held_out], sums[num_test:held_out]) if held_out > num_test else None,
        test=(inputs[:num_test], sums[:num_test]) if num_test else None,
    )


def text(data: str, context: int, test_fraction: float, validation_fraction: float = 0.0) -> Task:
    """Return the task of each byte of a file after those before it in its window; the end of the file is held out.

    Raises ValueError for a missing file, and for one that is too short.
    """
    path = Path(data).expanduser()
    if not data or not path.is_file():
        raise accept.refuse("data", data, "the path of a file for text")
    content = np.frombuffer(path.read_bytes(), np.uint8)
    num_test = round(test_fraction * len(content))
    parts = [content[: len(content) - num_test], content[len(content) - num_test :]]
    if len(parts[0]) <= context or 0 < len(parts[1]) <= context:
        raise accept.refuse("data", data, f"a file of {context + 1} bytes or more on each side, found {len(content)}")
    num_validation = num_held_out(len(parts[0]), validation_fraction)
    if context < num_validation and len(parts[0]) - num_validation > context:
        parts = [parts[0][:-num_validation], parts[1], parts[0][-num_validation:]]
    train, test, validation = (
        _windows(part, context + 1) if len(part) else None for part in [*parts, parts[0][:0]][:3]
    )
    assert train is not None
    alone, before = _byte_entropies(train[1], train[0])
    return Task(
        num_inputs=256,
        num_outputs=256,
        scored=slice(None),
        floor=None,
        baseline=alone,
        target=(alone + before) / 2,
        train=train,
        validation=validation,
        test=test,
    )


def _windows(part: UInt8[np.ndarray, " byte"], size: int) -> Rows:
    """Return windows that don't overlap, evenly spread over a part of the file."""
    starts = np.linspace(0, len(part) - size, min(MAX_WINDOWS, len(part) // size)).astype(int)
    rows = part[starts[:, None] + np.arange(size)].astype(np.int32)
    return rows[:, :-1], rows[:, 1:]


def _byte_entropies(bytes_: Int[np.ndarray, "row position"], before: Int[np.ndarray, "row position"]) -> list[float]:
    """Return the entropies of a byte from its frequencies, alone and after the byte before it."""
    # H(byte | before) = H(before, byte) - H(before)
    counts = [np.unique(kind, return_counts=True)[1] for kind in (bytes_, before, 256 * before + bytes_)]
    alone, first, pair = [float(entropy(count / count.sum())) for count in counts]
    return [alone, pair - first]
