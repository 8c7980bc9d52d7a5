"""The compiled step of one cell: one trial's update, batched over [seed, point] and scanned over a chunk of steps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from optbench.optimizers.optimizer import Optimizer
from optbench.optimizers.state_types import as_before
from optbench.optimizers.weight_decay import decoupled
from optbench.problems.problem import Batch, Params, State
from optbench.sweep.evaluation import to_bfloat16
from optbench.sweep.lifting import Lifted, lift
from optbench.sweep.model_state import stateful_loss
from optbench.sweep.problem_data import AnyArray, Prepared


@dataclass(frozen=True)
class Recipe:
    """Name everything a cell's program depends on, besides the shapes of its grid."""

    prepared: Prepared
    optimizer: Optimizer
    batch_size: int | Literal["full"]
    steps: int
    #: Steps between two records: the length of a chunk.
    record_every: int
    #: Add weight_decay/2 * |x|^2 to the objective in place of decaying the parameters beside the update.
    coupled: bool = False
    #: Hyperparameters that shape the program (flags, counts), bound before tracing.
    static: Mapping[str, Any] = field(default_factory=dict)
    #: Points of a seed that are trained at once, one lot after another; 0 stands for all trials.
    at_once: int = 0

    def settings(self, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the optimizer is built with."""
        settings = {**self.static, **hyperparameters}
        return {name: value for name, value in settings.items() if not (self.coupled and name == "weight_decay")}


class Carry(NamedTuple):
    """Hold one trial between two steps."""

    params: Params
    state: optax.OptState
    #: What the model holds beside its parameters.
    model_state: State
    #: Updates made when the loss was first found not finite; -1 while it is finite.
    diverged_at: Int[Array, ""]
    gradient_evaluations: Int[Array, ""]


class Chunk(NamedTuple):
    """Feed a chunk of steps; all but `multipliers` lead with [step, seed] or [step]."""

    batches: Batch
    keys: AnyArray
    step: Int[AnyArray, " step"]
    multipliers: Float[AnyArray, "step schedule"]


class Grid(NamedTuple):
    """Feed the grid: the settings of each trial, and a number per seed."""

    hyperparameters: Mapping[str, Float[AnyArray, "seed point"]]
    schedule: Int[AnyArray, "seed point"]
    seeds: Int[AnyArray, " seed"]


class Shown(NamedTuple):
    """Hand out what a chunk leaves behind, apart from the carry that the next chunk consumes."""

    losses: Float[Array, "step seed point"]
    gradient_evaluations: Int[Array, "seed point"]
    #: The parameters to evaluate where they are not the carry's own.
    params: Params | None


class Program(NamedTuple):
    """Hold a cell's two functions, still to be jitted, and the constants of its loss."""

    constants: Any
    #: Bytes of the largest array that one trial's loss makes on its way.
    largest_bytes: int
    #: (parameters [seed, ...], model's state [seed, ...], Grid) -> Carry [seed, point]
    start: Callable
    #: (constants, data, Carry, Chunk, Grid) -> Carry, Shown
    chunk: Callable


def program(recipe: Recipe) -> Program:
    """Write the program of a cell. Call inside `devices.settings(...)`."""
    prepared, optimizer = recipe.prepared, recipe.optimizer
    loss, update = write_update(recipe)
    step = _freezing(recipe, update, loss)

    def start(params: Params, model_state: State, grid: Grid) -> Carry:
        def one(params: Params, model_state: State, hyperparameters: Mapping[str, Any], seed: Any) -> Carry:
            transformation = build(optimizer, recipe.settings(hyperparameters), seed)
            never, none = jnp.int32(-1), jnp.int32(0)
            return Carry(params, transformation.init(params), model_state, never, none)

        over = jax.vmap(jax.vmap(one, (None, None, 0, None)), (0, 0, 0, 0))
        return over(params, model_state, grid.hyperparameters, grid.seeds)

    def steps(constants: Any, data: Batch, carry: Carry, chunk: Chunk, grid: Grid) -> tuple[Carry, Array]:
        def trial(carry, batch, key, hyperparameters, schedule, multipliers, index, seed):
            rates = {name: value for name, value in hyperparameters.items() if name.endswith("learning_rate")}
            scaled = {name: value * multipliers[schedule] for name, value in rates.items()}
            return step(constants, carry, batch, key, hyperparameters | scaled, index, seed)

        points = jax.vmap(trial, (0, None, None, 0, 0, None, None, None))
        seeds = jax.vmap(points, (0, 0, 0, 0, 0, None, None, 0))
        whole = jax.vmap(points, (0, None, 0, 0, 0, None, None, 0))

        def body(carry: Carry, now: Chunk) -> tuple[Carry, Array]:
            rest = (now.keys, grid.hyperparameters, grid.schedule, now.multipliers, now.step, grid.seeds)
            if prepared.problem.sample is not None:
                return seeds(carry, now.batches, *rest)
            if recipe.batch_size == "full":
                return whole(carry, data, *rest)
            return seeds(carry, jax.vmap(lambda rows: take_rows(data, rows))(now.batches), *rest)

        return jax.lax.scan(body, carry, chunk)

    def chunk(constants: Any, data: Batch, carry: Carry, chunk: Chunk, grid: Grid) -> tuple[Carry, Shown]:
        run = partial(steps, constants, data)
        in_lots = recipe.at_once and grid.schedule.size > 1
        carry, losses = (_lot_by_lot(run, recipe.at_once) if in_lots else run)(carry, chunk, grid)
        evaluated = None
        if optimizer.evaluation_params is not None:
            evaluated = jax.vmap(jax.vmap(optimizer.evaluation_params))(carry.state, carry.params)
        return carry, Shown(losses, carry.gradient_evaluations, evaluated)

    return Program(loss.constants, loss.largest_bytes, start, chunk)


def _lot_by_lot(run: Callable, at_once: int) -> Callable:
    """Return what runs a grid's trials in lots of some points of a seed, each through all steps of a chunk.

    What runs one is handed the grid of a lot [1, point]. Points that fill no last lot are shared out evenly.
    """

    def lots(carry: Carry, chunk: Chunk, grid: Grid) -> tuple[Carry, Array]:
        num_seeds, num_points = grid.schedule.shape
        num = -(-num_points // at_once)
        while num_points % num:
            num += 1
        split = lambda a: a.reshape(num_seeds * num, 1, num_points // num, *a.shape[2:])  # noqa: E731
        whole = lambda a: a.reshape(num_seeds, num_points, *a.shape[3:])  # noqa: E731

        def one(lot: tuple[Array, Carry, Any, Array]) -> tuple[Carry, Array]:
            seed, carry, hyperparameters, schedule = lot
            of_seed = lambda a, axis: jax.lax.dynamic_index_in_dim(a, seed, axis)  # noqa: E731
            batches, keys = jax.tree.map(lambda a: of_seed(a, 1), (chunk.batches, chunk.keys))
            own = Grid(hyperparameters, schedule, of_seed(jnp.asarray(grid.seeds), 0))
            return run(carry, chunk._replace(batches=batches, keys=keys), own)

        seeds = jnp.repeat(jnp.arange(num_seeds), num)
        carry, losses = jax.lax.map(one, (seeds, *jax.tree.map(split, (carry, grid.hyperparameters, grid.schedule))))
        return jax.tree.map(whole, carry), jnp.moveaxis(losses, 1, 0).reshape(losses.shape[1], num_seeds, num_points)

    return lots


def write_update(recipe: Recipe) -> tuple[Lifted, Callable]:
    """Write one update of one trial, unbatched.

    Returns the loss, with its constants, and (constants, params, state, model's state, batch, key data,
    hyperparameters, seed) -> (params, state, model's state, batch loss before the update). The model's new state is
    that of the loss at the old parameters: what an optimizer evaluates beyond that leaves none behind.
    """
    prepared, optimizer = recipe.prepared, recipe.optimizer
    lifted = lifted_loss(prepared, prepared.batch(recipe.batch_size))
    per_example = "per_example_grad" in optimizer.needs
    single = lifted_loss(prepared, _one_example(prepared, recipe)).call if per_example else None
    project = prepared.problem.project
    if per_example and prepared.problem.state is not None:
        raise ValueError("an optimizer that takes each example's own gradient can't train a model with a state")

    def update(constants, params: Params, state, model_state, batch, key, hyperparameters, seed) -> tuple[Any, ...]:
        key = jax.random.wrap_key_data(key)
        penalty = hyperparameters.get("weight_decay", 0.0) / 2 if recipe.coupled else None

        def objective(params: Params, loss=lifted.call, batch=batch) -> tuple[Array, tuple[Array, State]]:
            value, after = loss(constants, params, batch, key, model_state)
            penalised = value if penalty is None else value + penalty * optax.tree.norm(params, squared=True)
            return penalised, (value, after)

        def value_fn(params: Params, **_: Any) -> Array:
            return objective(params)[0]

        (value, (batch_loss, after)), gradient = jax.value_and_grad(objective, has_aux=True)(params)
        updates = gradient
        if single is not None:
            rows = jax.tree.map(lambda a: a[:, None], batch) if jax.tree.leaves(batch) else ()
            each = lambda row: jax.grad(lambda p: objective(p, single, row)[0])(params)  # noqa: E731
            updates = jax.vmap(each)(rows) if jax.tree.leaves(rows) else jax.tree.map(lambda g: g[None], gradient)
        offered = {
            "value": value,
            "grad": gradient,
            "value_fn": value_fn,
            "obj_fn": value_fn,
            "grad_fn": lambda params, _: jax.grad(value_fn)(params),
        }
        extra = {name: thing for name, thing in offered.items() if name in optimizer.needs}
        transformation = build(optimizer, recipe.settings(hyperparameters), seed)
        updates, new_state = transformation.update(updates, state, params, **extra)
        state = as_before(state, new_state)
        params = optax.apply_updates(params, updates)
        return (params if project is None else project(params)), state, after, batch_loss

    return lifted, update


def _freezing(recipe: Recipe, update: Callable, loss: Lifted) -> Callable:
    """Write one step of one trial of a sweep: an update, unless the trial has diverged or its budget is spent."""

    # Statistics of the parameters that are evaluated, and not of those that gradients are taken at.
    averaged = None if recipe.prepared.problem.state is None else recipe.optimizer.evaluation_params

    def step(constants, carry: Carry, batch, key, hyperparameters, index, seed) -> tuple[Carry, Array]:
        before = carry.params, carry.state, carry.model_state
        params, state, model_state, batch_loss = update(constants, *before, batch, key, hyperparameters, seed)
        if averaged is not None:
            shown = averaged(state, params)
            _, model_state = loss.call(constants, shown, batch, jax.random.wrap_key_data(key), carry.model_state)
        finite = jnp.isfinite(batch_loss)
        live = (carry.diverged_at < 0) & (index < recipe.steps)
        moves = live & finite
        evaluations = jnp.int32(recipe.optimizer.gradient_evaluations(state))
        new = Carry(
            params=params,
            state=state,
            model_state=model_state,
            diverged_at=jnp.where(live & ~finite, index, carry.diverged_at),
            gradient_evaluations=carry.gradient_evaluations + evaluations,
        )
        # A select reads what the update reads anyway: XLA fuses it, and freezing a trial costs next to nothing.
        frozen = jax.tree.map(lambda a, b: jnp.where(moves, a, b), new, carry)
        return frozen._replace(diverged_at=new.diverged_at), batch_loss

    return step


def build(optimizer: Optimizer, settings: Mapping[str, Any], seed: Any) -> optax.GradientTransformationExtraArgs:
    """Build the transformation of one trial, with decoupled weight decay where the settings name it."""
    settings = {**settings, "seed": seed} if "seed" in optimizer.needs else settings
    chosen = decoupled(optimizer) if "weight_decay" in settings or optimizer.decay == "native" else optimizer.build
    return optax.with_extra_args_support(chosen(**settings))


def lifted_loss(prepared: Prepared, batch: PyTree) -> Lifted:
    """Lift a problem's loss at the run's precision: (constants, params, batch, key, model's state) -> loss, state."""
    cast = to_bfloat16 if prepared.dtype == "bfloat16" else lambda tree: tree

    plain = stateful_loss(prepared.problem)

    def loss(params: Params, batch: Batch, key: Array, state: State) -> tuple[Array, State]:
        return plain(cast(params), cast(batch), key, state)

    return lift(loss, prepared.params, batch, jax.random.key(0), prepared.model_state)


def _one_example(prepared: Prepared, recipe: Recipe) -> PyTree:
    shapes = prepared.batch(recipe.batch_size)
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct((1, *a.shape[1:]), a.dtype), shapes)


def take_rows(data: Batch, rows: Int[Array, " row"]) -> Batch:
    """Gather a batch."""
    return jax.tree.map(lambda a: a.at[rows].get(mode="promise_in_bounds"), data)
