"""Ways to train the cell with jax. Each compiles what it needs, and returns a function that runs: metrics of SHAPE."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import optax

from optbench.optimizers import catalogue
from optbench.sweep.problem_data import prepare
from optbench.sweep.step import Recipe
from optbench.sweep.sweep import Points, compile_sweep, sweep
from tests.benchmarks import cell


def measure(params, data):
    """Return the metrics, in their order."""
    train, test = (cell.problem().metrics(params, split) for split in data)
    return jnp.stack([train["loss"], test["loss"], train["accuracy"], test["accuracy"]])


def update(solver, params, state, batch):
    gradient = jax.grad(lambda p: cell.problem().loss(p, batch, None))(params)
    updates, state = solver.update(gradient, state, params)
    return optax.apply_updates(params, updates), state


def readme_loop():
    """Train as optax's getting-started page does: a jitted step per configuration, called from a Python loop.

    The three seeds of a configuration share its step.
    """
    data = jax.device_put(cell.data())
    params, batch = cell.starts()[0], _batch(cell.batches()[0, 0])
    evaluate = jax.jit(measure).lower(params, data).compile()
    solvers = [optax.adamw(rate, weight_decay=decay) for rate, decay in cell.POINTS]
    steps = [
        jax.jit(lambda *carry, solver=solver: update(solver, *carry))
        .lower(params, solver.init(params), batch)
        .compile()
        for solver in solvers
    ]

    def train(params, rows, solver, step):
        state, records = solver.init(params), [evaluate(params, data)]
        for number, now in enumerate(rows, start=1):
            params, state = step(params, state, _batch(now))
            if number % cell.EVERY == 0:
                records.append(evaluate(params, data))
        return np.stack(records, axis=-1)

    def run():
        each = product(zip(cell.starts(), cell.batches(), strict=True), zip(solvers, steps, strict=True))
        return _shaped([train(*trial, *point) for trial, point in each])

    return run


def _batch(rows):
    return jax.tree.map(lambda a: a[rows], cell.data()[0])


def _trial(params, rows, point, data):
    """Train one trial: rows [record, step, example] -> metrics [record, metric]."""
    solver = optax.adamw(point[0], weight_decay=point[1])

    def body(carry, now):
        return update(solver, *carry, jax.tree.map(lambda a: a[now], data[0])), None

    def chunk(carry, rows):
        carry, _ = jax.lax.scan(body, carry, rows)
        return carry, measure(carry[0], data)

    records = jax.lax.scan(chunk, (params, solver.init(params)), rows)[1]
    return jnp.concatenate([measure(params, data)[None], records])


def _inputs():
    """Return parameters [seed, ...], rows [seed, record, step, example], points and data, on the device."""
    params = jax.tree.map(lambda *leaves: np.stack(leaves), *cell.starts())
    rows = cell.batches().reshape(len(cell.TRIALS), -1, cell.EVERY, cell.BATCH)
    return jax.device_put((params, rows, cell.POINTS.astype(np.float32), cell.data()))


def scan_loop():
    """Compile one trial's training as a scan, once, and call it trial by trial."""
    params, rows, points, data = _inputs()
    trials = [(jax.tree.map(lambda a, i=i: a[i], params), rows[i]) for i in range(len(rows))]
    compiled = jax.jit(_trial).lower(*trials[0], points[0], data).compile()

    def run():
        return _shaped([compiled(*trial, point, data).T for trial, point in product(trials, list(points))])

    return run


def hand_written():
    """Write the whole grid by hand, for this cell alone: jit(vmap(vmap(scan)))."""
    inputs = _inputs()
    grid = jax.vmap(jax.vmap(_trial, (None, None, 0, None)), (0, 0, None, None))
    compiled = jax.jit(grid).lower(*inputs).compile()
    return lambda: np.moveaxis(np.asarray(compiled(*inputs)), -1, 0)


def engine():
    """Sweep the cell with optbench.sweep: it also draws initial parameters and batches, and freezes what diverges."""
    prepared = prepare(cell.problem(), "float32", cell.DEVICE)
    recipe = Recipe(prepared, catalogue()["adamw"], cell.BATCH, cell.STEPS, cell.EVERY)
    values = dict(zip(("learning_rate", "weight_decay"), cell.POINTS.T, strict=True))
    points = Points(values, np.zeros(len(cell.POINTS), int), np.ones((cell.STEPS, 1)))
    compiled = compile_sweep(recipe, points, cell.TRIALS, 2**40)

    def run():
        metrics = sweep(compiled, points).metrics
        return np.stack([metrics[name] for name in cell.METRICS])

    return run


def _shaped(trials):
    """Stack trials [seed and point][metric, record]."""
    return np.moveaxis(np.stack(trials), 1, 0).reshape(cell.SHAPE)
