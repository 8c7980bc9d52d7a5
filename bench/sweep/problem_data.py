"""What every cell of one problem shares: data on the device, initial parameters, evaluation; each compiled once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jaxtyping import Array, Float, PyTree

from optbench.problems.problem import Batch, Params, Problem, State
from optbench.sweep import devices, sharding
from optbench.sweep.complex_parts import in_reals
from optbench.sweep.devices import RUN_ONCE, Device
from optbench.sweep.evaluation import metrics_of, write_evaluation
from optbench.sweep.model_state import initial_state, refuse_state_in_params
from optbench.sweep.probes import probes_at
from optbench.sweep.streams import batch_rows, key_data

#: What goes into a program: numpy on the host, or already on the device.
AnyArray = Array | np.ndarray


@dataclass(frozen=True)
class Prepared:
    """Hold one problem at one precision on one device or several. Create inside `devices.settings(...)`."""

    problem: Problem
    dtype: str
    train: Batch
    #: With the probes that are measured at records.
    metric_names: tuple[str, ...]
    #: What is measured beside the problem's own metrics, at records and at the end: names of `PROBES`.
    probes: tuple[str, ...]
    #: (key data [2]) -> one trial's parameters. Not batched over seeds, so that one program serves both phases.
    init_one: Callable[[AnyArray], Params]
    #: The same of its model's state, `()` where it has none.
    state_one: Callable[[AnyArray], State]
    #: (number of seeds, of points) -> the program (constants, splits, parameters, model's state) -> metrics
    #: [metric, seed, point]; where probes are measured at records, it takes the parameters at the start [seed, ...] too
    evaluator: Callable[[int, int], Any]
    #: What the evaluator takes besides the parameters.
    evaluated: tuple[Any, Any]
    #: (keys [step, seed, 2], steps [step], batch size) -> batches [step, seed, example, ...]
    draw: Callable[[AnyArray, AnyArray, int], Batch]
    #: How much of what is worked on at once should stay close to the arithmetic.
    cache_bytes: int
    #: How programs are compiled here.
    options: dict[str, Any]
    #: Place arrays where the data is.
    put: Callable[[PyTree], PyTree]
    #: What shares points out; None for one device.
    mesh: Mesh | None = None

    @property
    def num_devices(self) -> int:
        return 1 if self.mesh is None else self.mesh.size

    @property
    def params(self) -> PyTree[jax.ShapeDtypeStruct]:
        """Shapes of one trial's parameters."""
        return jax.eval_shape(self.problem.init, jax.random.key(0))

    @property
    def model_state(self) -> PyTree[jax.ShapeDtypeStruct]:
        """Shapes of the state of one trial's model."""
        return jax.eval_shape(initial_state(self.problem), jax.random.key(0))

    def init(self, trials: Sequence[str]) -> Params:
        """Draw the initial parameters [seed, ...] of some trials, on the host."""
        return _stacked(self.init_one, trials)

    def init_state(self, trials: Sequence[str]) -> State:
        """Draw the initial state [seed, ...] of some trials' models, on the host."""
        return () if self.problem.state is None else _stacked(self.state_one, trials)

    def evaluation(
        self, evaluate: Any, trials: Sequence[str]
    ) -> Callable[[Params, State], Float[Array, "metric seed point"]]:
        """Feed a program of `evaluator` all but the parameters and states of some trials [seed, point, ...]."""
        start = (self.put(self.init(trials)),) if probes_at("record", self.probes) else ()
        return lambda params, state: evaluate(*self.evaluated, params, state, *start)

    def batch(self, batch_size: int | Literal["full"]) -> PyTree[Any]:
        """Shapes of one batch."""
        if self.problem.sample is not None:
            sample = self.problem.sample
            return jax.eval_shape(lambda: sample(jax.random.key(0), int(batch_size), jnp.int32(0)))
        if batch_size == "full":
            return jax.eval_shape(lambda: self.train)
        return jax.tree.map(lambda a: jax.ShapeDtypeStruct((batch_size, *a.shape[1:]), a.dtype), self.train)

    def inputs(self, trials: Sequence[str], batch_size: int | Literal["full"], start: int, stop: int) -> Batch:
        """Choose what the batches of steps [start, stop) are made of, with leading axes [step, seed].

        Rows for data sets, drawn examples for streams, nothing where every batch is the whole set.
        """
        if self.problem.sample is not None:
            keys = _step_keys(trials, f"sample/{batch_size}", start, stop)
            return self.draw(keys, np.arange(start, stop, dtype=np.int32), int(batch_size))
        if batch_size == "full":
            return ()
        return batch_rows(trials, self.problem.num_rows, batch_size, start, stop)

    def keys(self, trials: Sequence[str], start: int, stop: int) -> np.ndarray:
        """Draw the keys that the loss takes at steps [start, stop), as raw data [step, seed, 2]."""
        return _step_keys(trials, "loss", start, stop)


def _stacked(draw: Callable[[AnyArray], PyTree], trials: Sequence[str]) -> PyTree:
    starts = [draw(key) for key in key_data(trials, "init")[0]]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *starts)


#: Steps whose keys are drawn together: keys of a step must not depend on where a chunk begins.
BLOCK = 1024


def _step_keys(trials: Sequence[str], purpose: str, start: int, stop: int) -> np.ndarray:
    blocks = range(start // BLOCK, (stop - 1) // BLOCK + 1)
    indices = np.concatenate([_block(tuple(trials), f"{purpose}/{block}") for block in blocks])
    return indices[start - blocks.start * BLOCK : stop - blocks.start * BLOCK]


@lru_cache(maxsize=64)
def _block(trials: tuple[str, ...], name: str) -> np.ndarray:
    """Draw a block's keys: once, for they took longer than a chunk of a small quadratic takes to train."""
    return key_data(trials, name, BLOCK)


def prepare(problem: Problem, dtype: str, *chosen: Device, probes: Sequence[str] = ()) -> Prepared:
    """Move a problem's data to a device, or to several that share points out, and set up what all its cells share."""
    problem = in_reals(problem)
    mesh, cache_bytes = sharding.share(chosen), devices.cache_bytes(chosen[0])
    options = devices.sweep_options(chosen[0])
    put = partial(jax.device_put, device=chosen[0] if mesh is None else NamedSharding(mesh, sharding.WHOLE))
    train = _as_run_dtype(() if problem.train is None else problem.train)
    splits = {"train": train if problem.measured is None else _as_run_dtype(problem.measured)}
    for split, rows in (("validation", problem.validation), ("test", problem.test)):
        if rows is not None:
            splits[split] = _as_run_dtype(rows)
    params = jax.eval_shape(problem.init, jax.random.key(0))
    state = jax.eval_shape(initial_state(problem), jax.random.key(0))
    metrics = metrics_of(problem, dtype)
    _check(problem, tuple(jax.eval_shape(metrics, params, splits, state)))
    at_records = probes_at("record", probes)
    refuse_state_in_params(problem, params, splits["train"], _some_batch(problem, train))
    written = write_evaluation(metrics, at_records, params, splits, cache_bytes, state)
    # Placed only now: what is traced with placed arrays remembers the place, and fits into no shard.
    constants, splits = put(written.constants), put(splits)
    train = splits["train"] if problem.measured is None else put(train)

    @cache
    def evaluator(num_seeds: int, num_points: int) -> Any:
        shape = num_seeds, num_points
        batched = jax.tree.map(lambda a: jax.ShapeDtypeStruct((*shape, *a.shape), a.dtype), (params, state))
        starts = jax.tree.map(lambda a: jax.ShapeDtypeStruct((num_seeds, *a.shape), a.dtype), params)
        start = (starts,) if at_records else ()
        takes = (sharding.WHOLE, sharding.WHOLE, sharding.TRIALS, sharding.TRIALS, *[sharding.WHOLE for _ in start])
        shared = sharding.jit(written.evaluate, mesh, takes, sharding.MANY_TRIALS)
        return shared.lower(constants, splits, *batched, *start).compile(options)

    @partial(jax.jit, static_argnums=2, compiler_options=options)
    def draw(keys: Array, steps: Array, batch_size: int) -> Batch:
        sample = problem.sample
        assert sample is not None
        sample_one = lambda key, step: sample(jax.random.wrap_key_data(key), batch_size, step)  # noqa: E731
        return jax.vmap(jax.vmap(sample_one, (0, None)))(keys, steps)

    return Prepared(
        problem=problem,
        dtype=dtype,
        train=train,
        metric_names=written.names,
        probes=tuple(probes),
        init_one=jax.jit(lambda key: problem.init(jax.random.wrap_key_data(key)), compiler_options=RUN_ONCE | options),
        state_one=jax.jit(
            lambda key: initial_state(problem)(jax.random.wrap_key_data(key)), compiler_options=RUN_ONCE | options
        ),
        evaluator=evaluator,
        evaluated=(constants, splits),
        draw=draw,
        cache_bytes=cache_bytes,
        options=options,
        put=put,
        mesh=mesh,
    )


def _some_batch(problem: Problem, train: Batch) -> PyTree[Any]:
    """Return the shapes of a batch of the size that a problem has by default."""
    sample, size = problem.sample, problem.batch_size
    if sample is not None:
        return jax.eval_shape(lambda: sample(jax.random.key(0), int(size), jnp.int32(0)))
    return jax.eval_shape(lambda: train if size == "full" else jax.tree.map(lambda a: jnp.asarray(a)[:size], train))


def _check(problem: Problem, metrics: tuple[str, ...]) -> None:
    """Refuse what type hints can't: a problem may be a plug-in."""
    if "train_loss" not in metrics:
        raise ValueError(f"metrics must hold 'loss'; they hold: {', '.join(metrics) or 'nothing'}")
    if unknown := set(problem.targets) - set(metrics):
        raise ValueError(f"target {min(unknown)!r} is no metric; accepted: {', '.join(metrics)}")
    if not callable(problem.optimum):
        raise TypeError("optimum must be a function that returns a number or None")


def _as_run_dtype(tree: PyTree) -> PyTree:
    return jax.tree.map(lambda a: np.asarray(a, jax.dtypes.canonicalize_dtype(np.asarray(a).dtype)), tree)
