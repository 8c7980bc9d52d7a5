"""What can be measured of parameters beside the loss: at every record, or once at the end. One entry each in PROBES.

A probe knows one training run, or at the end those of all report seeds; batches, devices and compilation are the
sweep's. jax is imported where something is computed, since commands that compute nothing read these names too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float

    from optbench.problems.problem import Params, State


@dataclass(frozen=True)
class Checkpoint:
    """One trial at one record: the parameters that are evaluated there, averaged ones where the optimizer has them."""

    params: Params
    #: The parameters before the first update.
    start: Params
    #: Maps parameters to the objective over the training set, or of a stream as it is evaluated: without noise, with
    #: the problem's own penalties.
    loss: Callable[[Params], Float[Array, ""]]
    #: Returns the gradient of `loss` at `params` as the list that `float_leaves` makes of it; computed once.
    gradient: Callable[[], list[Array]]


@dataclass(frozen=True)
class Finals:
    """The report seeds of a cell's best point after the last step; all but `loss` lead with an axis [seed]."""

    params: Params
    start: Params
    #: False where a seed's loss was not finite at some step: its parameters mean nothing.
    finite: Bool[Array, " seed"]
    #: Maps the parameters of one seed, and its model's state where there is one, to the objective as in `Checkpoint`.
    loss: Callable[..., Float[Array, ""]]
    #: What the models hold beside their parameters.
    state: State = ()


class Probe(NamedTuple):
    """Say what is measured, and when."""

    meaning: str
    #: At every record, beside the metrics; or once, after the last step of the report seeds.
    when: Literal["record", "end"]
    #: Maps a Checkpoint to a number, or Finals to a number or to one of each seed [seed]. Traced: nothing may branch on
    #: a value.
    measure: Callable[[Any], Array]
    #: None where neither more nor less is better: then it is ranked, shaded and followed by nobody.
    higher_is_better: bool | None = None


def float_leaves(tree: Params) -> list[Array]:
    """List the floating-point leaves; counters and random keys are no parameters."""
    import jax
    import jax.numpy as jnp

    return [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]


def norm(leaves: Sequence[Array]) -> Float[Array, ""]:
    """Compute the Euclidean norm of all elements of some arrays, in float32 at least."""
    import jax.numpy as jnp

    wide = [leaf.astype(jnp.promote_types(leaf.dtype, jnp.float32)) for leaf in leaves]
    return jnp.sqrt(sum((jnp.sum(jnp.square(leaf)) for leaf in wide), start=jnp.zeros(())))


def between(one: Params, other: Params) -> Float[Array, ""]:
    """Compute the Euclidean distance between two trees of parameters."""
    return norm([a - b for a, b in zip(float_leaves(one), float_leaves(other), strict=True)])


def seed_distance(at: Finals) -> Float[Array, " seed"]:
    """Compute how far each seed lies from the others on average, in terms of how far the seeds have come on average.

    NaN where there is no other seed whose loss stayed finite.
    """
    import jax
    import jax.numpy as jnp

    one_to_all = jax.vmap(between, (None, 0))
    distances = jax.vmap(one_to_all, (0, None))(at.params, at.params)
    others = at.finite[:, None] & at.finite[None, :] & ~jnp.eye(len(at.finite), dtype=bool)
    mean = jnp.sum(jnp.where(others, distances, 0.0), axis=1) / jnp.sum(others, axis=1)
    moved = jnp.where(at.finite, jax.vmap(between)(at.params, at.start), 0.0)
    return mean / (jnp.sum(moved) / jnp.sum(at.finite))


#: name -> probe. The name is that of its column, so no metric of a split ("train_...", "test_...") may have it.
PROBES: dict[str, Probe] = {
    "gradient_norm": Probe(
        "Euclidean norm of the objective's gradient over the training set", "record", lambda at: norm(at.gradient())
    ),
    "parameter_norm": Probe("Euclidean norm of the parameters", "record", lambda at: norm(float_leaves(at.params))),
    "distance": Probe(
        "Euclidean distance of the parameters from where they began",
        "record",
        lambda at: between(at.params, at.start),
    ),
    "seed_distance": Probe(
        "mean distance of a seed's final parameters from those of the other report seeds, over the mean distance that "
        "the seeds have come from their starts",
        "end",
        seed_distance,
    ),
}


def probes_at(when: Literal["record", "end"], names: Sequence[str]) -> dict[str, Probe]:
    """Choose those of some probes that are measured at every record, or at the end."""
    return {name: PROBES[name] for name in names if PROBES[name].when == when}


def directions(names: Sequence[str]) -> Mapping[str, bool | None]:
    """Say of some probes whether more is better; None where neither is."""
    return {name: PROBES[name].higher_is_better for name in names}
