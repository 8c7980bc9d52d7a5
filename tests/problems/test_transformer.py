"""The decoder looks back alone, is its formula, and reads text from files."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from optbench.problems.networks._decoder import Decoder, randomised
from optbench.problems.networks.transformer import transformer

KEY = jax.random.key(0)
SIZES = {"tokens": 7, "context": 6, "layers": 2, "heads": 2, "width": 8}


def decoder(norm="pre", tied=False, **sizes):
    model = Decoder(**SIZES | sizes, norm=norm, tied=tied, rngs=nnx.Rngs(0))
    nnx.update(model, randomised(nnx.to_pure_dict(nnx.state(model)), KEY))
    return model


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_later_token_changes_no_earlier_logit(norm, tied):
    model = decoder(norm, tied)
    row = np.random.RandomState(0).randint(7, size=6)
    # row 0 is as drawn, and row i + 1 has another token in place i
    rows = np.concatenate([row[None], (row[None] + np.eye(6, dtype=int)) % 7])
    logits = jax.jit(model)(rows)
    assert logits.shape == (7, 6, 7)
    # rows may be rounded differently, depending on their place in the batch
    changes = np.abs(logits[1:] - logits[:1]).max(axis=2) > 1e-5
    assert (changes == np.triu(np.ones((6, 6), bool))).all()


def normed(x, norm):
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6)
    return x * np.asarray(norm.scale[...]) + np.asarray(norm.bias[...])


def attended(layer, x):
    """Attend one head, position and row at a time."""
    q, k, v = (x @ np.asarray(part.kernel[...]) for part in (layer.query, layer.key, layer.value))
    out = np.zeros_like(x)
    for row in range(len(x)):
        for head in (slice(0, 4), slice(4, 8)):
            for place in range(x.shape[1]):
                weights = np.exp(k[row, : place + 1, head] @ q[row, place, head] / 2)
                out[row, place, head] = weights / weights.sum() @ v[row, : place + 1, head]
    return out @ np.asarray(layer.mix.kernel[...])


def transformed(layer, x):
    return np.maximum(x @ np.asarray(layer.wide.kernel[...]), 0) @ np.asarray(layer.narrow.kernel[...])


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_the_decoder_is_the_formula(norm):
    with jax.enable_x64(True), jax.numpy_rank_promotion("raise"):
        model = decoder(norm)
        rows = np.random.RandomState(0).randint(7, size=(3, 6))
        x = np.asarray(model.tokens[...])[rows] + np.asarray(model.positions[...])
        for layer in model.layers:
            for scale, block in zip(layer.norms, (attended, transformed), strict=True):
                x = x + block(layer, normed(x, scale)) if norm == "pre" else normed(x + block(layer, x), scale)
        x = normed(x, model.norm) if norm == "pre" else x
        np.testing.assert_allclose(jax.jit(model)(rows), x @ np.asarray(model.output.kernel[...]), rtol=1e-9)


def test_tied_embeddings_are_the_output_layer():
    model = decoder(tied=True)
    untied = decoder()
    untied.tokens[...], untied.positions[...] = model.tokens[...], model.positions[...]
    nnx.update(untied.layers, nnx.state(model.layers))
    untied.output.kernel[...] = model.tokens[...].T
    rows = jnp.arange(6)[None]
    np.testing.assert_allclose(jax.jit(model)(rows), jax.jit(untied)(rows), rtol=1e-5, atol=1e-6)
    assert "output" not in transformer(tied=True).init(KEY)


def test_matrices_stay_matrices_and_parameters_plain():
    params = transformer(layers=3, width=8).init(KEY)
    assert type(params) is dict and len(params["layers"]) == 3
    assert {leaf.ndim for leaf in jax.tree.leaves(params)} == {1, 2}


def test_matrices_start_normal_with_the_variance_of_their_fan_in():
    params = transformer(width=32, task="modular_addition", symbols=50, layers=1).init(KEY)
    layer = params["layers"][0]
    for matrix, fan_in in [(params["tokens"], 32), (layer["wide"]["kernel"], 32), (layer["narrow"]["kernel"], 64)]:
        np.testing.assert_allclose(matrix.std(), fan_in**-0.5, rtol=0.06)
        assert abs(matrix.mean()) < 0.1 * fan_in**-0.5
    assert (layer["norms"][0]["scale"] == 1).all() and (layer["norms"][0]["bias"] == 0).all()
    assert (layer["query"]["kernel"] != layer["key"]["kernel"]).all()


def test_a_guess_is_ten_times_the_target():
    assert transformer().targets["train_loss"] == pytest.approx(np.log(8) / 10)
    assert transformer(task="modular_addition", symbols=5).targets["train_loss"] == pytest.approx(np.log(5) / 10)
    markov = transformer(task="markov")
    assert markov.optimum() < markov.targets["train_loss"] < markov.optimum() + 0.03


def test_text_is_read_and_split(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"to be or not to be, that is the question. " * 40)
    problem = transformer(task="text", data=str(path), layers=1, width=8, test_fraction=0.25)
    assert problem.train[0].shape[1] == 12 and problem.train[0].dtype == np.int32
    assert [len(rows[0]) for rows in (problem.train, problem.validation, problem.test)] == [
        1008 // 13,
        252 // 13,
        420 // 13,
    ]
    params = problem.init(KEY)
    assert problem.loss(params, problem.train, KEY) == problem.metrics(params, problem.train)["loss"]
    assert np.log(256) - 1 < problem.metrics(params, problem.test)["loss"] < np.log(256) + 1
    assert problem.optimum() is None and 0 < problem.targets["train_loss"] < 3


def test_files_that_are_missing_or_short_are_refused(tmp_path):
    path = tmp_path / "short.txt"
    path.write_bytes(b"x" * 40)
    with pytest.raises(ValueError, match=r"data=.*short.txt.*a file of 33 bytes or more on each side, found 40"):
        transformer(task="text", data=str(path), context=32)
    with pytest.raises(ValueError, match=r"nothing.txt.*path of a file"):
        transformer(task="text", data=str(tmp_path / "nothing.txt"))


def test_bfloat16_multiplies_in_bfloat16_and_sums_in_float32():
    problem = transformer(layers=1)
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), problem.init(KEY))
    jaxpr = jax.make_jaxpr(jax.value_and_grad(problem.loss))(params, problem.sample(KEY, 4, 0), KEY)
    lines = str(jaxpr).splitlines()
    products = [line for line in lines if "dot_general[" in line]
    assert len(products) >= 10 and all("bf16[" in line for line in products)
    assert jaxpr.out_avals[0].dtype == jnp.float32
    assert all("f32" in line for line in lines if " exp " in line or " log " in line)
