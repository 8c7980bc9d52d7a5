"""How long a step of a trial takes in a sweep, in terms of a step of a plain jitted loop of the same model.

`.venv/bin/python tests/benchmarks/own_loops.py [mlp conv lstm transformer unet]`: in one process and in turns, by the
processor time of all threads, so that what else runs on the machine matters little. Ten minutes on two cores.
"""

import sys
import time
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from optbench.optimizers import catalogue
from optbench.problems import supervised
from optbench.sweep import devices, sweep
from optbench.sweep.at_once import points_at_once
from optbench.sweep.model_state import stateful_loss
from optbench.sweep.problem_data import prepare
from optbench.sweep.step import Recipe

SEEDS, POINTS, STEPS, TURNS = 3, 4, 8, 5
RANDOM = np.random.default_rng(0)


class Mlp(nnx.Module):
    def __init__(self, rngs):
        self.layers = nnx.List([nnx.Linear(64, 64, rngs=rngs), nnx.Linear(64, 64, rngs=rngs)])
        self.out = nnx.Linear(64, 10, rngs=rngs)

    def __call__(self, x):
        for layer in self.layers:
            x = nnx.relu(layer(x))
        return self.out(x)


class Conv(nnx.Module):
    def __init__(self, rngs):
        self.first, self.second = nnx.Conv(1, 16, (3, 3), rngs=rngs), nnx.Conv(16, 32, (3, 3), strides=2, rngs=rngs)
        self.norms = nnx.List([nnx.BatchNorm(16, rngs=rngs), nnx.BatchNorm(32, rngs=rngs)])
        self.out = nnx.Linear(32, 10, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norms[0](self.first(x)))
        return self.out(nnx.relu(self.norms[1](self.second(x))).mean(axis=(1, 2)))


class Lstm(nnx.Module):
    def __init__(self, rngs):
        self.embed, self.out = nnx.Embed(32, 32, rngs=rngs), nnx.Linear(64, 32, rngs=rngs)
        self.cell = nnx.RNN(nnx.OptimizedLSTMCell(32, 64, rngs=rngs))

    def __call__(self, x):
        return self.out(self.cell(self.embed(x)))


class Block(nnx.Module):
    def __init__(self, rngs):
        self.norms = nnx.List([nnx.LayerNorm(64, rngs=rngs), nnx.LayerNorm(64, rngs=rngs)])
        self.attention = nnx.MultiHeadAttention(4, 64, decode=False, rngs=rngs)
        self.up, self.down = nnx.Linear(64, 128, rngs=rngs), nnx.Linear(128, 64, rngs=rngs)

    def __call__(self, x):
        x = x + self.attention(self.norms[0](x), mask=nnx.make_causal_mask(x[..., 0]))
        return x + self.down(nnx.gelu(self.up(self.norms[1](x))))


class Transformer(nnx.Module):
    def __init__(self, rngs):
        self.embed, self.places = nnx.Embed(32, 64, rngs=rngs), nnx.Embed(32, 64, rngs=rngs)
        self.blocks, self.out = nnx.List([Block(rngs), Block(rngs)]), nnx.Linear(64, 32, rngs=rngs)

    def __call__(self, x):
        x = self.embed(x) + self.places(jnp.arange(x.shape[1]))[None]
        for block in self.blocks:
            x = block(x)
        return self.out(x)


class Unet(nnx.Module):
    def __init__(self, rngs):
        self.first, self.down = nnx.Conv(1, 8, (3, 3), rngs=rngs), nnx.Conv(8, 16, (3, 3), strides=2, rngs=rngs)
        self.middle, self.last = nnx.Conv(16, 16, (3, 3), rngs=rngs), nnx.Conv(16, 1, (3, 3), rngs=rngs)
        self.up = nnx.ConvTranspose(16, 8, (2, 2), strides=(2, 2), rngs=rngs)

    def __call__(self, x):
        wide = nnx.relu(self.first(x))
        deep = nnx.relu(self.middle(nnx.relu(self.down(wide))))
        return self.last(jnp.concatenate([wide, nnx.relu(self.up(deep))], axis=-1))


def problem_of(name):
    rows = RANDOM.normal(size=(1280, 64)).astype(np.float32), RANDOM.integers(0, 10, 1280)
    images = RANDOM.normal(size=(640, 16, 16, 1)).astype(np.float32), RANDOM.integers(0, 10, 640)
    tokens = RANDOM.integers(0, 32, (320, 33))
    return {
        "mlp": lambda: supervised(Mlp, rows, batch_size=128, targets={}),
        "conv": lambda: supervised(Conv, images, batch_size=128, targets={}),
        "lstm": lambda: supervised(Lstm, (tokens[:, :-1], tokens[:, 1:]), batch_size=32, targets={}),
        "transformer": lambda: supervised(Transformer, (tokens[:, :-1], tokens[:, 1:]), batch_size=32, targets={}),
        "unet": lambda: supervised(Unet, (images[0], images[0]), batch_size=64, loss="squared_error", targets={}),
    }[name]()


def plain_loop(problem):
    """Return what makes STEPS steps of one trial, one jitted call each, as a user's own script does."""
    loss, transformation = stateful_loss(problem), optax.adam(1e-3)

    @jax.jit
    def step(params, state, model_state, batch, key):
        (value, model_state), gradient = jax.value_and_grad(loss, has_aux=True)(params, batch, key, model_state)
        updates, state = transformation.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, model_state, value

    key = jax.random.key(0)
    params, model_state = problem.init(key), problem.state(key) if problem.state else ()
    batch = jax.tree.map(lambda a: jnp.asarray(a[: problem.batch_size]), problem.train)
    start = (params, transformation.init(params), model_state)

    def run():
        carry = start
        for _ in range(STEPS):
            *carry, value = step(*carry, batch, key)
        jax.block_until_ready(value)

    return run


def swept(problem, at_once):
    """Return what makes STEPS steps of SEEDS x POINTS trials in a sweep's program, and how many points it trains."""
    prepared = prepare(problem, "float32", jax.devices()[0])
    recipe = Recipe(prepared, catalogue()["adam"], problem.batch_size, STEPS, STEPS)
    chosen = points_at_once(recipe, SEEDS * POINTS) if at_once is None else at_once
    rates = {"learning_rate": np.geomspace(1e-4, 1e-2, POINTS)}
    points = sweep.Points(rates, np.zeros(POINTS, int), np.ones((STEPS, 1)))
    trials = [f"0/select/{seed}" for seed in range(SEEDS)]
    compiled = sweep.compile_sweep(replace(recipe, at_once=chosen), points, trials, 2**40)
    part = points.part(0, compiled.num_points)
    fed, grid = sweep._chunk(compiled.recipe, part, compiled.trials, 0), sweep._grid(part, compiled.trials)
    start = jax.tree.map(jnp.copy, sweep.begin(compiled, part))

    def run():
        carry = jax.tree.map(jnp.copy, start)
        jax.block_until_ready(compiled.chunk(compiled.program.constants, prepared.train, carry, fed, grid))

    return run, SEEDS * compiled.num_points, chosen


def measure(name):
    problem = problem_of(name)
    ways = {way: swept(problem, way) for way in (None, 0, 1)}
    loops = {"own": (plain_loop(problem), 1)} | {way: (run, num) for way, (run, num, _) in ways.items()}
    times = {way: [] for way in loops}
    for _ in range(1 + TURNS):
        for way, (run, num) in loops.items():
            # As many trials' steps each, so that none is measured more roughly than another.
            repeats, began = 12 if way == "own" else 1, time.process_time()
            for _ in range(repeats):
                run()
            times[way].append((time.process_time() - began) / (repeats * num * STEPS))
    typical = {way: float(np.median(values[1:])) for way, values in times.items()}
    ratios = {way: typical[way] / typical["own"] for way in (None, 0, 1)}
    print(
        f"{name:12} {1e3 * typical['own']:8.2f} ms  sweep {ratios[None]:5.2f} ({ways[None][2] or 'all'} at once)  "
        f"all at once {ratios[0]:5.2f}  one after another {ratios[1]:5.2f}",
        flush=True,
    )


if __name__ == "__main__":
    with devices.settings("float32", jax.devices()[0]):
        for model in sys.argv[1:] or ["mlp", "conv", "lstm", "transformer", "unet"]:
            measure(model)
