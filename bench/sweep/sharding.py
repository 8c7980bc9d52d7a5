"""Share the points of a grid out over several devices of one process."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import PyTree

from optbench.sweep.devices import Device

#: How arrays lie on the devices: whole on each, or their points shared out. Each may stand in for an array.
WHOLE: Any = P()
#: [seed, point, ...]
TRIALS: Any = P(None, "point")
#: [step or metric, seed, point, ...]
MANY_TRIALS: Any = P(None, None, "point")


def share(devices: Sequence[Device]) -> Mesh | None:
    """Line devices up along the points; None for a single one, whose programs stay what they are without."""
    if len(devices) == 1:
        return None
    return jax.make_mesh((len(devices),), ("point",), axis_types=(AxisType.Auto,), devices=devices)


def jit(function: Callable, mesh: Mesh | None, takes: PyTree[P], gives: PyTree[P], **options: Any) -> Any:
    """Jit a function of trials, each device computing those of its own points.

    `takes` and `gives` say how arguments and results lie on the devices: a spec for each, or for the parts of it.
    """
    if mesh is None:
        return jax.jit(function, **options)
    # Trials know nothing of each other, so nothing is summed over devices that jax would have to check; and a loop
    # inside an optimizer may start from constants, which it would take for another type than what comes out.
    shared = jax.shard_map(function, mesh=mesh, in_specs=takes, out_specs=gives, check_vma=False)
    on_mesh = lambda specs: jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs)  # noqa: E731
    return jax.jit(shared, in_shardings=on_mesh(takes), out_shardings=on_mesh(gives), **options)
