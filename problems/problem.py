"""The contract of a problem: its parameters, loss, data and optimum, written for one training run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import jax
from jaxtyping import Array, Float, PyTree

Batch = PyTree[Any]
Params = PyTree[Any]
State = PyTree[Any]


@dataclass(frozen=True)
class Problem:
    """One objective: pure functions of one training run, with no seed or point axis.

    A problem is of one of three kinds:

    - data: `train` holds arrays that share a leading row axis; `loss` sees a batch of rows.
    - stream: `sample(key, batch_size, step)` draws a batch with a leading example axis.
    - deterministic: neither; `loss` gets an empty tuple as its batch, and the batch size is "full".

    Arrays that functions close over are lifted into arguments by the sweep, so a factory may keep
    float64 numpy arrays: they take the precision of the run when they meet the parameters.

    A model may hold more than parameters, such as the running statistics of batch normalization: `state` draws it, no
    optimizer and no weight decay touches it, each trial has its own, and evaluation sees what the last step left. With
    it the signatures are `loss(params, batch, key, state) -> (loss, state)` and `metrics(params, data, state)`.
    """

    #: Draw initial parameters, at the precision of the run.
    init: Callable[[jax.Array], Params]
    #: Mean loss per example of a batch; the key feeds dropout and noise. With a state it takes that too, and returns
    #: (loss, new state).
    loss: Callable[..., Any]
    #: Evaluate parameters on a whole data split (`()` for streams and deterministic problems), without
    #: noise. Must hold "loss", and may hold others such as "accuracy". With a state it takes that last.
    metrics: Callable[..., Mapping[str, Float[Array, ""]]]
    #: Where it comes from: author, title, year.
    source: str
    train: Batch | None = None
    #: Rows of `train` that its metrics are measured of; None: all.
    measured: Batch | None = None
    #: Rows that settings are chosen by: none of them is trained on, and none is a test row.
    validation: Batch | None = None
    #: Rows that nothing is chosen by.
    test: Batch | None = None
    sample: Callable[[jax.Array, int, jax.Array], Batch] | None = None
    #: Updates of a run by default.
    steps: int = 200
    batch_size: int | Literal["full"] = "full"
    #: The smallest reachable train loss in float64, or None if it is unknown. Called when needed.
    optimum: Callable[[], float | None] = lambda: None
    #: Parameters in float64 at which the loss is the optimum, if they are known. Called when needed.
    minimiser: Callable[[], Params] | None = None
    #: Metric name, with its split -> the value that counts as reached; tables show the first.
    targets: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    #: Metrics, without their split, of which more is better; of all others less is better.
    higher_is_better: frozenset[str] = frozenset({"accuracy"})
    #: Map parameters back into the feasible set after each update.
    project: Callable[[Params], Params] | None = None
    #: Draw what the model holds beside its parameters, by the key that `init` gets; None: nothing.
    state: Callable[[jax.Array], State] | None = None
    #: True if `loss` keeps its reductions in float32 when parameters and inputs arrive in bfloat16.
    mixed_precision: bool = False
    #: True if `loss` on the whole training set differs from `metrics(...)["loss"]` (dropout, noise).
    noisy_loss: bool = False

    @property
    def num_rows(self) -> int:
        """Number of training examples: 1 for deterministic problems, 0 for streams (no end)."""
        if self.sample is not None:
            return 0
        leaves = jax.tree.leaves(self.train)
        return int(leaves[0].shape[0]) if leaves else 1
