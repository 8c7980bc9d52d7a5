"""A small decoder-only transformer on sequences with known answers, or on text."""

from typing import Literal, get_args

import jax
from flax import nnx
from jaxtyping import Array, PyTree

from optbench.problems import accept, section
from optbench.problems.networks import _sequences, _task, _token_rows
from optbench.problems.networks._decoder import Decoder, Norm, randomised
from optbench.problems.problem import Problem

RUNGS = ({"context": 8}, {"context": 12}, {"context": 16})

Task = Literal["markov", "induction", "modular_addition", "text"]


def transformer(
    task: Task = "induction",
    layers: int = 2,
    heads: int = 2,
    width: int = 16,
    context: int = 12,
    norm: Norm = "pre",
    tied: bool = False,
    symbols: int = 8,
    order: int = 1,
    data: str = "",
    test_fraction: float = 0.5,
    validation_fraction: float = 0.2,
    seed: int = 0,
) -> Problem:
    """Train a small transformer: attention's conditioning, which keeps gradient descent on its plateaus.

    mean -log q(x_t | x_<t) in nats over the scored positions of `context` tokens. `layers` of attention in `heads` and
    of a hidden layer of twice the `width`, both added to what comes in, layer norm before each (pre) or after the sum
    (post); learned positions; `tied` uses the embeddings as the output layer. Matrices start normal with variance
    1/fan-in. No dropout, no penalty.

    - induction: context/4 keys with one of `symbols` values each, then the keys in another order; the values that go
      with them count. Without the look back log(symbols) is the best, and that is a long plateau.
    - markov: a chain of `order` over `symbols` tokens, with random laws from `seed`; the metric is the cross-entropy
      from the true law at some 512 fixed positions, so that its smallest value is the mean entropy there.
    - modular_addition: a + b mod `symbols` on all pairs, of which `test_fraction` are held out: memorised soon, and
      understood late and where weights decay (grokking), if at all. Its context is 3.
    - text: bytes of the file `data`, in windows; the last `test_fraction` of the file is held out.

    Of what is left for training, `validation_fraction` is held out: settings are chosen by it.
    Streams train on fresh sequences and are measured on fixed ones.
    The target is a tenth of the loss of a guess; for markov 3 % of what there is to learn above the floor, for text
    halfway from the entropy of a byte alone to that of a byte after another. On induction rmsprop, muon and adamw got
    there in 200 to 280 steps, and sgd stays near 0.84 for all its 400;
    on modular_addition with 23 symbols adamw took 204.

    Optimum: the chain's mean entropy on markov; 0 on induction and modular_addition; unknown on text.
    Source: A. Vaswani and others, Attention Is All You Need, 2017; induction from C. Olsson and others, In-context
    Learning and Induction Heads, 2022; modular_addition from A. Power and others, Grokking, 2022.
    """
    accept.choice("task", task, get_args(Task))
    accept.choice("norm", norm, get_args(Norm))
    accept.flag("tied", tied)
    for name, value in {"layers": layers, "heads": heads, "width": width, "context": context}.items():
        accept.whole(name, value)
    if width % heads:
        raise accept.refuse("heads", heads, f"a divisor of the width, {width}")
    accept.number("test_fraction", test_fraction, below=1)
    accept.number("validation_fraction", validation_fraction, below=1)
    accept.whole("seed", seed, low=0)
    if data and task != "text":
        raise accept.refuse("data", data, "a file for the task text alone")
    match task:
        case "markov":
            sequence_task = _sequences.markov(context, symbols, order, seed)
        case "induction":
            sequence_task = _sequences.recall(context, symbols, seed)
        case "modular_addition":
            sequence_task, context = _token_rows.modular_addition(symbols, test_fraction, seed, validation_fraction), 3
        case "text":
            sequence_task = _token_rows.text(data, context, test_fraction, validation_fraction)

    def build(rngs: nnx.Rngs) -> Decoder:
        return Decoder(sequence_task.num_inputs, context, layers, heads, width, norm, tied, rngs)

    graph, _ = nnx.split(nnx.eval_shape(lambda: build(nnx.Rngs(0))))

    def init(key: jax.Array) -> PyTree[Array]:
        return randomised(nnx.to_pure_dict(nnx.state(build(nnx.Rngs(0)))), key)

    return Problem(
        init=init,
        source=section(transformer, "Source"),
        steps=400 if task == "induction" else 300,
        batch_size=16
        if sequence_task.train is None
        else min(16 if task == "text" else 64, len(sequence_task.train[0])),
        targets={"train_loss": sequence_task.target},
        **_task.contract(sequence_task, lambda params, inputs: nnx.merge(graph, params)(inputs)),
    )
