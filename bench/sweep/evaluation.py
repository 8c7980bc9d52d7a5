"""What is evaluated of one trial at a record: the problem's metrics on each split, and probes beside them."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from optbench.problems.problem import Batch, Params, Problem, State
from optbench.sweep.lifting import lift
from optbench.sweep.model_state import stateful_metrics
from optbench.sweep.probes import Checkpoint, Probe, float_leaves

#: (parameters, split -> data, model's state or nothing) -> name with its split -> value
Metrics = Callable[..., dict[str, Array]]

#: By how much fewer trials are evaluated together with probes: a gradient holds all layers on its way back. It takes
#: 15.2 ms for 24 trials of the digits network, and 18.4 ms with as many together as where the metrics are all.
PROBED_SHARE = 8


class Evaluation(NamedTuple):
    """Hold the function that evaluates many trials, still to be jitted, and its constants."""

    names: tuple[str, ...]
    constants: Any
    #: (constants, splits, parameters [seed, point, ...], model's state [seed, point, ...]) -> values
    #: [metric, seed, point]; where there are probes, it takes the parameters at the start [seed, ...] too.
    evaluate: Callable


def write_evaluation(
    metrics: Metrics,
    probes: Mapping[str, Probe],
    params: PyTree,
    splits: Mapping[str, Batch],
    cache_bytes: int,
    state: PyTree = (),
) -> Evaluation:
    """Write what evaluates a grid; `splits` lie on the host.

    `params` and `state` are the shapes of one trial's parameters and of its model's state.
    """
    measured, start = (with_probes(metrics, probes), (params,)) if probes else (metrics, ())
    constants, lifted, largest, primitives = lift(measured, params, splits, state, *start)
    names = tuple(jax.eval_shape(measured, params, splits, state, *start))

    def evaluate(
        constants: Any, splits: Any, params: Params, state: State, *start: Params
    ) -> Float[Array, "metric seed point"]:
        def one(params: Params, state: State, *seed: Array) -> Array:
            began = [jax.tree.map(lambda leaf: leaf[seed[0]], of_seeds) for of_seeds in start]
            values = lifted(constants, params, splits, state, *began)
            return jnp.stack([values[name] for name in names])

        num_seeds, num_points = jax.tree.leaves(params)[0].shape[:2]
        trials = jax.tree.map(lambda a: a.reshape(num_seeds * num_points, *a.shape[2:]), (params, state))
        seeds = [jnp.repeat(jnp.arange(num_seeds), num_points) for _ in start]
        # What a whole grid holds between two layers leaves the cache: 96 trials of the digits network took 1.5 s
        # together, and 0.25 s eight at a time.
        share = PROBED_SHARE if start else 1
        together = min(max(1, cache_bytes // (share * largest)), num_seeds * num_points)
        # With kernels of each trial's own a convolution is a grouped one, which takes several times as long.
        together = 1 if "conv_general_dilated" in primitives else together
        values = jax.lax.map(lambda trial: one(*trial), (*trials, *seeds), batch_size=together)
        return jnp.moveaxis(values.reshape(num_seeds, num_points, -1), -1, 0)

    return Evaluation(names, constants, evaluate)


def metrics_of(problem: Problem, dtype: str) -> Metrics:
    """Return what evaluates a problem's metrics on each split, at the precision of the run."""
    cast = to_bfloat16 if dtype == "bfloat16" else lambda tree: tree
    plain = stateful_metrics(problem)

    def metrics(params: Params, data: Mapping[str, Batch], state: State = ()) -> dict[str, Array]:
        measured = {split: plain(cast(params), cast(batch), state) for split, batch in data.items()}
        return {f"{split}_{name}": value for split, named in measured.items() for name, value in named.items()}

    return metrics


def with_probes(metrics: Metrics, probes: Mapping[str, Probe]) -> Callable:
    """Return what evaluates metrics and probes.

    It maps (parameters, data, model's state, parameters at the start) to name -> value.
    """

    def measured(params: Params, data: Mapping[str, Batch], state: State, start: Params) -> dict[str, Array]:
        train, others = {"train": data["train"]}, {split: data[split] for split in data if split != "train"}

        def objective(params: Params) -> tuple[Array, dict[str, Array]]:
            values = metrics(params, train, state)
            return values["train_loss"], values

        @cache
        def gradient() -> tuple[list[Array], dict[str, Array]]:
            return _gradient(objective, params)

        at = Checkpoint(params, start, lambda params: objective(params)[0], lambda: gradient()[0])
        values = {name: probe.measure(at) for name, probe in probes.items()}
        # The way to the gradient goes past the metrics of the training set: they are not evaluated twice.
        of_train = gradient()[1] if gradient.cache_info().currsize else objective(params)[1]
        return of_train | metrics(params, others, state) | values

    return measured


def _gradient(objective: Callable, params: Params) -> tuple[list[Array], dict[str, Array]]:
    """Compute (the gradient with respect to the floating-point leaves, what else the objective returns)."""
    leaves, structure = jax.tree.flatten(params)
    at = [index for index, leaf in enumerate(leaves) if jnp.issubdtype(leaf.dtype, jnp.floating)]

    def of_floats(floats: list[Array]) -> tuple[Array, dict[str, Array]]:
        replaced = dict(zip(at, floats, strict=True))
        return objective(structure.unflatten([replaced.get(index, leaf) for index, leaf in enumerate(leaves)]))

    return jax.grad(of_floats, has_aux=True)(float_leaves(params))


def to_bfloat16(tree: PyTree) -> PyTree:
    """Cast the floating-point leaves."""
    return jax.tree.map(lambda a: a.astype(jnp.bfloat16) if jnp.issubdtype(a.dtype, jnp.floating) else a, tree)
