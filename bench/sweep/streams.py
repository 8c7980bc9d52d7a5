"""Random streams named by what they are for, so that adding one draw moves no other.

Drawn on the host by numpy's Philox, whose stream is fixed for good: the same on every device and release, and no
compile time (indices drawn with `jax.random` inside a scan cost 2.6 s of compilation against 0.5 s passed in).
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from jaxtyping import Int, UInt32


def trial_name(base: int, phase: str, seed: int) -> str:
    """Name one seed of one phase: "select" and "report" share no stream."""
    return f"{base}/{phase}/{seed}"


def _philox(name: str) -> np.random.Philox:
    return np.random.Philox(key=int.from_bytes(blake2b(name.encode(), digest_size=16).digest(), "little"))


def key_data(trials: Sequence[str], purpose: str, num: int = 1) -> UInt32[np.ndarray, "num trial 2"]:
    """Draw `num` keys per trial for one purpose, as the raw data of threefry keys."""
    raw = [_philox(f"{trial}/{purpose}").random_raw(num) for trial in trials]
    return np.stack(raw, axis=1)[..., None].view(np.uint32)


def batch_rows(
    trials: Sequence[str], num_rows: int, batch_size: int, start: int, stop: int
) -> Int[np.ndarray, "step trial row"]:
    """Draw the rows of the batches of steps [start, stop): without replacement within an epoch, reshuffled each epoch.

    What remains of an epoch after its last whole batch is dropped. Every batch size has its own stream.
    """
    per_epoch = num_rows // batch_size
    epochs = range(start // per_epoch, (stop - 1) // per_epoch + 1)
    orders = [_epochs(trial, num_rows, batch_size, epochs.start, epochs.stop) for trial in trials]
    first = epochs.start * per_epoch
    return np.stack(orders, axis=1)[start - first : stop - first]


@lru_cache(maxsize=256)
def _epochs(trial: str, num_rows: int, batch_size: int, start: int, stop: int) -> Int[np.ndarray, "step row"]:
    num_used = num_rows // batch_size * batch_size
    orders = [
        np.argsort(_philox(f"{trial}/batches/{batch_size}/{epoch}").random_raw(num_rows), kind="stable")[:num_used]
        for epoch in range(start, stop)
    ]
    return np.concatenate(orders).reshape(-1, batch_size).astype(np.int32)
