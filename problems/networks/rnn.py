"""A recurrent network on tasks that need memory."""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PyTree

from optbench.problems import accept, section
from optbench.problems.networks import _sequences, _task
from optbench.problems.problem import Problem

Cell = Literal["vanilla", "gru", "lstm"]
Task = Literal["adding", "copy", "parity", "markov"]

RUNGS = ({"length": 8}, {"length": 20}, {"length": 50})

#: Blocks of the matrices that a cell multiplies its input and its state by.
NUM_BLOCKS = {"vanilla": 1, "gru": 3, "lstm": 4}


def rnn(
    cell: Cell = "vanilla",
    task: Task = "adding",
    length: int = 20,
    width: int = 32,
    recurrent_scale: float = 1.0,
    symbols: int = 8,
    order: int = 1,
    seed: int = 0,
) -> Problem:
    """Train a recurrent network: gradients that vanish or explode with the length of a sequence.

    One `cell` of `width` units is applied at each step, h_t = cell(h_t-1, x_t), and a linear layer reads h_t; vanilla
    is tanh(U h + W x + b). Recurrent matrices start orthogonal, times `recurrent_scale`: gradients vanish below 1. Each
    step trains on fresh sequences; the metric is taken on fixed ones, drawn from `seed`.

    - adding: the sum of two marked numbers among `length` in [0, 1], squared error; the mean alone gives 1/6.
    - copy: ten of eight letters, given back after `length` steps of nothing, in nats over all length + 20 positions;
      without memory 10 log 8 / (length + 20) is the best.
    - parity: whether the ones so far are odd, at each bit after the first; without memory log 2 is the best.
    - markov: the next token of a chain of `order` over `symbols` tokens; the metric is the cross-entropy from the true
      law at some 512 fixed positions, so that its smallest value is the mean entropy there.

    The target is a fifth of what goes without memory for adding, a tenth for parity and nine tenths for copy, to which
    adamw brought a gru at length 8, and nothing vanilla; for markov it is 3 % of what there is to learn above the
    floor. On adding the first of ten tuned optimizers took 69 steps at length 8, where sgd missed it; muon alone got
    there at 20, in 156; at 50 none did.

    Optimum: the chain's mean entropy on markov, else 0.
    Source: S. Hochreiter, J. Schmidhuber, Long Short-Term Memory, 1997; copy and the form of adding from M. Arjovsky,
    A. Shah, Y. Bengio, Unitary Evolution Recurrent Neural Networks, 2016.
    """
    accept.choice("cell", cell, get_args(Cell))
    accept.choice("task", task, get_args(Task))
    accept.whole("width", width)
    accept.positive("recurrent_scale", recurrent_scale)
    accept.whole("seed", seed, low=0)
    if task == "markov":
        sequence_task = _sequences.markov(length, symbols, order, seed)
    else:
        sequence_task = getattr(_sequences, task)(length, seed)
    sizes = (sequence_task.num_inputs, width, sequence_task.num_outputs)
    graph, _ = nnx.split(nnx.eval_shape(lambda: Rnn(cell, *sizes, recurrent_scale, nnx.Rngs(0))))

    def init(key: jax.Array) -> PyTree[Array]:
        return nnx.to_pure_dict(nnx.state(Rnn(cell, *sizes, recurrent_scale, nnx.Rngs(key))))

    return Problem(
        init=init,
        source=section(rnn, "Source"),
        steps=300,
        batch_size=32,
        targets={"train_loss": sequence_task.target},
        **_task.contract(sequence_task, lambda params, inputs: nnx.merge(graph, params)(inputs)),
    )


class Rnn(nnx.Module):
    """Apply one cell along a sequence, and map its state linearly at each position."""

    def __init__(self, cell: Cell, inputs: int, width: int, outputs: int, recurrent_scale: float, rngs: nnx.Rngs):
        dtype, blocks = jnp.result_type(float), NUM_BLOCKS[cell]

        def orthogonal(key: jax.Array, shape: tuple[int, ...], dtype: jnp.dtype) -> Float[Array, "width blocks"]:
            draw = nnx.initializers.orthogonal(recurrent_scale)
            return jnp.concatenate(
                [draw(block_key, (width, width), dtype) for block_key in jax.random.split(key, blocks)], axis=1
            )

        self.input = nnx.Linear(inputs, blocks * width, param_dtype=dtype, rngs=rngs)
        self.recurrent = nnx.Linear(
            width, blocks * width, use_bias=False, kernel_init=orthogonal, param_dtype=dtype, rngs=rngs
        )
        self.output = nnx.Linear(width, outputs, param_dtype=dtype, rngs=rngs)
        self.cell, self.width = cell, width

    def __call__(self, x: Array) -> Float[Array, "row position output"]:
        kernel = self.recurrent.kernel[...]
        if jnp.issubdtype(x.dtype, jnp.integer):
            x = jax.nn.one_hot(x, self.input.in_features, dtype=kernel.dtype)
        # the input's part does not depend on the state: one product for all positions
        from_inputs = jnp.swapaxes(self.input(x), 0, 1)
        start = jnp.zeros((from_inputs.shape[1], self.width), from_inputs.dtype)
        update = {"vanilla": _vanilla, "gru": _gru, "lstm": _lstm}[self.cell]

        def step(state, from_input):
            state = update(state, from_input, state[0] @ kernel)
            return state, state[0]

        states = jax.lax.scan(step, (start, start), from_inputs)[1]
        return self.output(jnp.swapaxes(states, 0, 1))


def _vanilla(state, from_input, from_state):
    return jnp.tanh(from_input + from_state), state[1]


def _gru(state, from_input, from_state):
    (add_reset, add_keep, add_new), (reset, keep, new) = (
        jnp.split(from_input, 3, axis=-1),
        jnp.split(from_state, 3, axis=-1),
    )
    keep = jax.nn.sigmoid(add_keep + keep)
    new = jnp.tanh(add_new + jax.nn.sigmoid(add_reset + reset) * new)
    return keep * state[0] + (1 - keep) * new, state[1]


def _lstm(state, from_input, from_state):
    write, forget, read, new = jnp.split(from_input + from_state, 4, axis=-1)
    # 1 is added, so that a new cell remembers
    memory = jax.nn.sigmoid(forget + 1) * state[1] + jax.nn.sigmoid(write) * jnp.tanh(new)
    return jax.nn.sigmoid(read) * jnp.tanh(memory), memory
