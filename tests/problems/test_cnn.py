"""The network is a convolution, on the data of the multilayer perceptron."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.problems.networks.cnn import cnn
from optbench.problems.networks.mlp import mlp

KEY = jax.random.key(0)


def convolved(x, layer, stride):
    """Slide a 3 x 3 kernel over images with zeros around them, by the definition."""
    kernel = np.asarray(layer["kernel"]).reshape(3, 3, x.shape[-1], -1)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = (-(-side // stride) for side in x.shape[1:3])
    out = np.zeros((len(x), height, width, kernel.shape[-1]))
    for row in range(height):
        for column in range(width):
            patch = padded[:, stride * row : stride * row + 3, stride * column : stride * column + 3]
            out[:, row, column] = np.einsum("byxc,yxco->bo", patch, kernel) + layer["bias"]
    return out


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("max_pixels", [0, 64], ids=["patches", "matrix"])
def test_the_network_is_the_formula(residual, max_pixels, monkeypatch):
    monkeypatch.setattr("optbench.problems.networks.cnn.MAX_PIXELS", max_pixels)
    problem = cnn(depth=3, width=4, residual=residual, activation="tanh")
    with jax.enable_x64(True):
        params = problem.init(KEY)
        x, y = (rows[:20] for rows in problem.test)
        image = x.reshape(-1, 8, 8, 1)
        for index, layer in params["layers"].items():
            found = np.tanh(convolved(image, layer, 1 if index else 2))
            image = image + found if residual and index else found
        assert image.shape == (20, 4, 4, 4)
        logits = image.reshape(20, -1) @ np.asarray(params["last"]["kernel"]) + params["last"]["bias"]
        nats = np.log(np.exp(logits).sum(1)) - logits[np.arange(20), y]
        metrics = problem.metrics(params, (x, y))
        np.testing.assert_allclose(metrics["loss"], nats.mean(), rtol=1e-12)
        np.testing.assert_allclose(metrics["accuracy"], (logits.argmax(1) == y).mean())


def test_it_has_the_rows_of_the_perceptron():
    convolutional, dense = cnn(label_noise=0.1), mlp(label_noise=0.1)
    for a, b in zip(jax.tree.leaves(convolutional.train), jax.tree.leaves(dense.train), strict=True):
        np.testing.assert_array_equal(a, b)
    assert convolutional.targets == dense.targets


def test_kernels_are_shared_by_all_places():
    # 3 x 3 x 1 x 8 + 8, then 3 x 3 x 8 x 8 + 8, then 4 x 4 x 8 x 10 + 10
    assert sum(leaf.size for leaf in jax.tree.leaves(cnn(depth=2, width=8).init(KEY))) == 80 + 584 + 1290


def test_channels_are_normalised_at_each_place():
    problem = cnn(normalization="layer", width=4, init_scale=100.0)
    with jax.enable_x64(True):
        params = problem.init(KEY)
        scaled = params | {"layers": jax.tree.map(lambda leaf: 7 * leaf, params["layers"])}
        loss = problem.metrics(params, problem.test)["loss"]
        np.testing.assert_allclose(problem.metrics(scaled, problem.test)["loss"], loss, rtol=1e-6)


def test_odd_and_oblong_images_are_read(tmp_path):
    images = np.random.RandomState(0).randint(0, 256, (12, 5, 7)).astype(np.uint8)
    header = bytes([0, 0, 8, 3]) + np.array(images.shape, ">u4").tobytes()
    (tmp_path / "images.idx").write_bytes(header + images.tobytes())
    (tmp_path / "labels.idx").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 12]) + bytes(range(4)) * 3)
    problem = cnn(data=str(tmp_path / "images.idx"), width=2, augmentation=1, dropout=0.5, test_fraction=0.25)
    params = problem.init(KEY)
    # 3 x 4 places
    assert params["last"]["kernel"].shape == (3 * 4 * 2, 4)
    assert jnp.isfinite(jax.jit(problem.loss)(params, problem.train, KEY))


def test_rows_that_are_no_images_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("1,2,3,4,0\n5,6,7,8,1\n" * 5)
    for data in ("iris", str(tmp_path / "a.csv")):
        with pytest.raises(ValueError, match="expected images: digits, an IDX file, or an"):
            cnn(data=data)
