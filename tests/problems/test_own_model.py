"""Models of several libraries as problems: what they compute, what they refuse, which targets they get."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

from optbench.problems import supervised
from optbench.problems.model_baseline import linear_baseline
from optbench.problems.model_kinds import functions_of
from optbench.problems.model_losses import accuracy, cross_entropy

KEY = jax.random.key(3)
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(80, 3)).astype(np.float32)
LABELS = (X @ np.array([1.0, -2.0, 0.5]) > 0).astype(int)


class Nnx(nnx.Module):
    def __init__(self, rngs, width=4):
        self.hidden, self.norm = nnx.Linear(3, width, rngs=rngs), nnx.BatchNorm(width, momentum=0.5, rngs=rngs)
        self.out = nnx.Linear(width, 2, rngs=rngs)

    def __call__(self, x):
        return self.out(nnx.relu(self.norm(self.hidden(x))))


class Linen(linen.Module):
    @linen.compact
    def __call__(self, x, train):
        x = linen.BatchNorm(use_running_average=not train, momentum=0.5)(linen.Dense(4)(x))
        return linen.Dense(2)(linen.relu(x))


class Dropped(nnx.Module):
    def __init__(self, rngs):
        self.drop, self.out = nnx.Dropout(0.5, rngs=rngs), nnx.Linear(3, 2, rngs=rngs)

    def __call__(self, x):
        return self.out(self.drop(x))


class LinenDropped(linen.Module):
    @linen.compact
    def __call__(self, x, deterministic):
        return linen.Dense(2)(linen.Dropout(0.5, deterministic=deterministic)(x))


def plain_batch_norm():
    """Return batch normalization by hand, with a linear layer."""

    def apply(params, x, state, train):
        mean, var = (x.mean(axis=0), x.var(axis=0)) if train else (state["mean"], state["var"])
        after = {"mean": (state["mean"] + mean) / 2, "var": (state["var"] + var) / 2} if train else state
        return (x - mean[None]) / jnp.sqrt(var[None] + 1e-5) @ params, after

    state = lambda key: {"mean": jnp.zeros(3), "var": jnp.ones(3)}  # noqa: E731
    return (lambda key: jax.random.normal(key, (3, 2))), apply, state


def expected_of(kind, problem, batch):
    """Return a training loss and an evaluation afterwards, as a user's own loop of a library computes them."""
    x, y = jax.tree.map(jnp.asarray, batch)
    if kind == "nnx":
        net = Nnx(nnx.Rngs(KEY))
        net.train()
        logits = net(x)
        net.eval()
        return cross_entropy(logits, y).mean(), cross_entropy(net(x), y).mean()
    if kind == "linen":
        net = Linen()
        variables = net.init(KEY, x[:1], False)
        logits, changed = net.apply(variables, x, True, mutable=["batch_stats"])
        after = net.apply({"params": variables["params"], **changed}, x, False)
        return cross_entropy(logits, y).mean(), cross_entropy(after, y).mean()
    init, apply, state = plain_batch_norm()
    params = init(KEY)
    logits, after = apply(params, x, state(KEY), True)
    return cross_entropy(logits, y).mean(), cross_entropy(apply(params, x, after, False)[0], y).mean()


@pytest.mark.parametrize("kind", ["nnx", "linen", "functions"])
def test_batch_normalization_is_that_of_the_library(kind):
    model = {"nnx": Nnx, "linen": Linen(), "functions": plain_batch_norm()}[kind]
    problem = supervised(model, (X, LABELS))
    batch = jax.tree.map(lambda a: a[:16], problem.train)
    loss, state = problem.loss(problem.init(KEY), batch, KEY, problem.state(KEY))
    metrics = problem.metrics(problem.init(KEY), batch, state)
    expected = expected_of(kind, problem, batch)
    np.testing.assert_allclose([loss, metrics["loss"]], expected, rtol=1e-5)
    assert abs(loss - metrics["loss"]) > 1e-3
    names = {jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(problem.init(KEY))}
    assert not any("mean" in name or "var" in name for name in names)


def test_a_module_of_one_row_is_mapped_over_rows():
    equinox = pytest.importorskip("equinox")

    class Net(equinox.Module):
        out: equinox.nn.Linear
        norm: equinox.nn.BatchNorm
        drop: equinox.nn.Dropout

        def __init__(self, key):
            self.out = equinox.nn.Linear(3, 2, key=key)
            self.norm, self.drop = equinox.nn.BatchNorm(2, "batch", mode="batch"), equinox.nn.Dropout(0.5)

        def __call__(self, x, state, key):
            logits, state = self.norm(self.out(x), state)
            return self.drop(logits, key=key), state

    problem = supervised(lambda key: equinox.nn.make_with_state(Net)(key=key), (X, LABELS))
    batch = jax.tree.map(lambda a: a[:16], problem.train)
    params, state = problem.init(KEY), problem.state(KEY)
    losses = [problem.loss(params, batch, jax.random.key(seed), state)[0] for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]
    _, after = problem.loss(params, batch, KEY, state)
    (before, later) = (problem.metrics(params, batch, each)["loss"] for each in (state, after))
    assert before != later
    plain = supervised(lambda key: equinox.nn.MLP(3, 2, 4, 1, key=key), (X, LABELS))
    model = equinox.nn.MLP(3, 2, 4, 1, key=KEY)
    x, y = batch
    expected = cross_entropy(jax.vmap(model)(x), jnp.asarray(y)).mean()
    assert plain.state is None
    np.testing.assert_allclose(plain.loss(plain.init(KEY), batch, KEY), expected, rtol=1e-6)


@pytest.mark.parametrize("model", [Dropped, LinenDropped()], ids=["nnx", "linen"])
def test_dropout_draws_by_the_step_s_key_and_rests_in_evaluation(model):
    problem = supervised(model, (X, LABELS))
    params, batch = problem.init(KEY), problem.train
    losses = [float(problem.loss(params, batch, jax.random.key(seed))) for seed in (0, 0, 1)]
    assert losses[0] == losses[1] != losses[2]
    values = [float(problem.metrics(params, batch)["loss"]) for _ in range(2)]
    assert values[0] == values[1] and values[0] not in losses
    assert problem.noisy_loss and problem.state is None


def test_a_module_that_was_made_starts_every_seed_from_its_weights():
    net = Nnx(nnx.Rngs(7))
    problem = supervised(net, (X, LABELS))
    for seed in range(2):
        kernel = problem.init(jax.random.key(seed))["out"]["kernel"]
        np.testing.assert_array_equal(kernel, net.out.kernel[...])


def test_parameters_and_state_have_the_precision_of_the_run():
    problem = supervised(Nnx, (X, LABELS))
    with jax.enable_x64(True):
        drawn = problem.init(KEY), problem.state(KEY)
        loss, state = problem.loss(*drawn[:1], jax.tree.map(lambda a: a[:8], problem.train), KEY, drawn[1])
    assert {leaf.dtype for leaf in jax.tree.leaves((drawn, state, loss))} == {np.dtype("float64")}


class TestRows:
    def rows(self, problem):
        return [part[0][:, 0].tolist() for part in (problem.train, problem.validation, problem.test) if part]

    def test_a_fifth_is_for_the_test_and_a_fifth_of_the_rest_chooses(self):
        parts = self.rows(supervised(Nnx, (X, LABELS)))
        assert [len(part) for part in parts] == [51, 13, 16]
        assert sorted(value for part in parts for value in part) == sorted(X[:, 0].tolist())

    def test_test_rows_of_one_s_own_are_kept_apart(self):
        parts = self.rows(supervised(Nnx, (X[:60], LABELS[:60]), (X[60:], LABELS[60:])))
        assert [len(part) for part in parts] == [48, 12, 20]
        assert sorted(parts[2]) == sorted(X[60:, 0].tolist())

    def test_arrays_on_disk_are_the_arrays(self, tmp_path):
        np.save(tmp_path / "x.npy", X)
        np.save(tmp_path / "y.npy", LABELS)
        mapped = supervised(Nnx, (tmp_path / "x.npy", str(tmp_path / "y.npy")))
        assert self.rows(mapped) == self.rows(supervised(Nnx, (X, LABELS)))

    def test_nested_lists_are_one_array(self):
        nested = supervised(Nnx, (X.astype(float).tolist(), LABELS.tolist()))
        assert self.rows(nested) == self.rows(supervised(Nnx, (X, LABELS)))

    def test_columns_of_a_file_are_standardised_and_words_become_classes(self, tmp_path):
        rows = [f"{a},{b},{c},{'yes' if label else 'no'}" for (a, b, c), label in zip(100 * X + 7, LABELS, strict=True)]
        (tmp_path / "rows.csv").write_text("\n".join(["a,b,c,answer", *rows]))
        problem = supervised(Nnx, tmp_path / "rows.csv")
        np.testing.assert_allclose(problem.train[0].mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(problem.train[0].std(axis=0), 1, rtol=1e-9)
        assert set(problem.train[1].tolist()) == {0, 1}

    def test_images_keep_their_shape(self):
        net = lambda rngs: nnx.Sequential(lambda x: x.reshape(len(x), -1), nnx.Linear(64, 10, rngs=rngs))  # noqa: E731
        assert supervised(net, "digits").train[0].shape[1:] == (8, 8)

    def test_inputs_may_be_a_tree(self):
        model = (lambda key: jnp.zeros((3, 2))), (lambda w, x: x["left"] @ w + (x["right"] @ w))
        problem = supervised(model, ({"left": X, "right": X}, LABELS))
        assert problem.loss(problem.init(KEY), problem.train, KEY) == pytest.approx(np.log(2))

    def test_many_rows_are_evaluated_block_by_block_and_of_many_training_rows_the_first(self, monkeypatch):
        monkeypatch.setattr("optbench.problems.own_model.BLOCK", 8)
        monkeypatch.setattr("optbench.problems.own_model.MEASURED", 20)
        problem = supervised(((lambda key: jax.random.normal(key, (3, 2))), (lambda w, x: x @ w)), (X, LABELS))
        w = problem.init(KEY)
        x, y = problem.train
        assert problem.metrics(w, problem.train)["loss"] == pytest.approx(
            float(cross_entropy(x @ w, y).mean()), rel=1e-6
        )
        np.testing.assert_array_equal(problem.measured[0], x[:20])
        assert problem.noisy_loss


class TestTargets:
    def test_of_numbers_are_the_noise_that_a_linear_model_leaves(self):
        random = np.random.default_rng(1)
        x = random.normal(size=(2000, 3))
        y = x @ np.array([3.0, 0.0, -4.0]) + 0.5 * random.normal(size=2000)
        reached = linear_baseline("squared_error", (x[:1000], y[:1000]), (x[1000:], y[1000:]))
        assert reached.base_loss == pytest.approx(25.25, rel=0.1)
        assert reached.loss == pytest.approx(0.25, rel=0.1)
        model = (lambda key: jnp.zeros(3)), (lambda w, x: x @ w)
        targets = supervised(model, (x, y), loss="squared_error").targets
        assert targets["train_loss"] == pytest.approx(0.25, rel=0.2)
        assert targets["validation_loss"] == pytest.approx(0.1 * 25.25 + 0.9 * 0.25, rel=0.2)
        assert next(iter(targets)) == "train_loss"

    def test_of_classes_lie_between_the_base_rate_and_the_bayes_rule(self):
        """One number, normal around -1 or 1: a logit of twice the number is Bayes' rule, right in 84 %."""
        random = np.random.default_rng(2)
        y = (random.random(4000) < 0.3).astype(int)
        x = (2 * y - 1 + random.normal(size=4000))[:, None]
        reached = linear_baseline("cross_entropy", (x[:2000], y[:2000]), (x[2000:], y[2000:]))
        logits = 2 * x[2000:, 0] + np.log(0.3 / 0.7)
        bayes = float(np.mean(np.logaddexp(0, np.where(y[2000:] == 1, -logits, logits))))
        assert reached.base_loss == pytest.approx(0.611, rel=0.03)
        assert reached.base_accuracy == pytest.approx(0.7, abs=0.03)
        assert bayes <= reached.loss < bayes + 0.1 * (reached.base_loss - bayes)
        assert reached.accuracy == pytest.approx(0.865, abs=0.03)

    def test_there_are_none_where_nothing_can_be_told(self):
        assert not supervised(Nnx, (X, LABELS), loss=lambda logits, y: cross_entropy(logits, y)).targets
        assert not supervised(Nnx, (0 * X, LABELS)).targets
        assert supervised(Nnx, (X, LABELS), targets={"test_loss": 0.5}).targets == {"test_loss": 0.5}

    def test_steps_and_batch_size_follow_the_rows(self):
        small, asked = supervised(Nnx, (X, LABELS)), supervised(Nnx, (X, LABELS), steps=7, batch_size=1000)
        assert (small.steps, small.batch_size) == (200, 4)
        assert (asked.steps, asked.batch_size) == (7, 51)
        large = np.tile(X, (250, 1)), np.tile(LABELS, 250)
        problem = supervised(Nnx, large)
        assert (problem.steps, problem.batch_size) == (1000, 128)


class TestLosses:
    def test_shares_and_a_single_logit_are_cross_entropies_too(self):
        logits = jnp.array([[0.0, 2.0], [1.0, -1.0]])
        y = jnp.array([1, 1])
        expected = cross_entropy(logits, y)
        np.testing.assert_allclose(cross_entropy(logits, jax.nn.one_hot(y, 2)), expected, rtol=1e-6)
        single = logits[:, 1] - logits[:, 0]
        np.testing.assert_allclose(cross_entropy(single, y), expected, rtol=1e-6)
        np.testing.assert_allclose(cross_entropy(single[:, None], y), expected, rtol=1e-6)
        for form, labels in ((logits, y), (single, y), (single[:, None], y), (logits, jax.nn.one_hot(y, 2))):
            assert accuracy(form, labels).tolist() == [1, 0]

    def test_a_column_of_predictions_is_no_square(self):
        model = (lambda key: jnp.ones((3, 1))), (lambda w, x: x @ w)
        y = X.sum(axis=1)
        problem = supervised(model, (X, y), loss="squared_error")
        assert problem.loss(problem.init(KEY), problem.train, KEY) == pytest.approx(0, abs=1e-10)

    def test_metrics_of_one_s_own_stand_beside_the_accuracy(self):
        problem = supervised(
            Nnx, (X, LABELS), metrics={"ones": lambda logits, y: jnp.mean(y)}, higher_is_better=("accuracy", "ones")
        )
        values = problem.metrics(problem.init(KEY), problem.train, problem.state(KEY))
        assert set(values) == {"loss", "accuracy", "ones"}
        assert values["ones"] == pytest.approx(problem.train[1].mean())
        assert problem.higher_is_better == {"accuracy", "ones"}


LINEAR = (lambda key: jnp.zeros((3, 2))), (lambda w, x: x @ w)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: supervised(42, (X, LABELS)), "int is no model; accepted: a flax.nnx class"),
        (lambda: supervised(lambda seed: None, (X, LABELS)), "takes neither `rngs` nor `key`"),
        (lambda: supervised(lambda key: "net", (X, LABELS)), "made str"),
        (lambda: supervised((lambda key: 0,), (X, LABELS)), "accepted: (init, apply)"),
        (lambda: supervised(LINEAR, (X, LABELS[:-1])), "x [80, 3] and y [79]"),
        (lambda: supervised(LINEAR, X), "accepted: (x, y) or a path"),
        (lambda: supervised(LINEAR, "dgits"), "did you mean 'digits'"),
        (lambda: supervised(LINEAR, (np.where(X > 2, np.nan, X), LABELS)), "expected finite numbers, found x["),
        (lambda: supervised(LINEAR, (X.astype(object), LABELS)), "Python objects"),
        (lambda: supervised(LINEAR, (X.astype(str), LABELS)), "expected numbers as inputs"),
        (lambda: supervised(LINEAR, (X, LABELS + 1)), "the classes go from 1 to 2, and the model returns 2 logits"),
        (lambda: supervised(LINEAR, (X, X[:, 0])), "loss='squared_error'"),
        (lambda: supervised(LINEAR, (X, X[:, 0]), loss="squared_error"), "returns [2, 2] for 2 rows"),
        (lambda: supervised(LINEAR, (X, LABELS), loss="crossentropy"), "accepted: cross_entropy, squared_error"),
        (lambda: supervised(LINEAR, (X, LABELS), steps=0), "steps=0 is not accepted"),
        (lambda: supervised(LINEAR, (X, LABELS), test_fraction=1.0), "test_fraction=1.0 is not accepted"),
    ],
)
def test_what_is_not_accepted_is_told_in_one_line(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_class_that_needs_more_says_how_to_give_it():
    class Wide(nnx.Module):
        def __init__(self, width, rngs):
            self.out = nnx.Linear(width, 2, rngs=rngs)

    with pytest.raises(ValueError, match=r"needs width too; .*lambda rngs: Wide\(\.\.\., rngs=rngs\)"):
        functions_of(Wide, X[:1])
