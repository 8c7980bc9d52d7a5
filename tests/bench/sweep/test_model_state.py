"""A model's state: it follows the batches, no optimizer touches it, and evaluation sees it."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

from optbench.optimizers import catalogue
from optbench.problems.problem import Problem
from optbench.sweep import model_state
from optbench.sweep.halving import sweep_halving
from optbench.sweep.streams import batch_rows

ROWS = np.arange(24.0)
TRIALS = ("0/select/0", "0/select/1")
RATES = np.array([0.1, 0.2, 0.3, 0.4])


def centred(optimum=3.0):
    """Descend to a number while the state keeps a running mean of the batches, and counts them; both are shown."""

    def loss(x, rows, key, state):
        mean = 0.5 * state["mean"] + 0.5 * jnp.mean(rows)
        return (x - optimum) ** 2 / 2, {"mean": mean, "batches": state["batches"] + 1}

    def metrics(x, rows, state):
        return {"loss": (x - optimum) ** 2 / 2, "mean": state["mean"], "batches": state["batches"] * 1.0}

    return Problem(
        init=lambda key: jnp.zeros(()),
        state=lambda key: {"mean": jnp.zeros(()), "batches": jnp.int32(0)},
        loss=loss,
        metrics=metrics,
        source="by hand",
        train=ROWS,
    )


def running_means(trial, steps, size=4):
    means = ROWS[batch_rows([trial], len(ROWS), size, 0, steps)[:, 0]].mean(axis=1)
    state = [0.0]
    for mean in means:
        state.append(0.5 * state[-1] + 0.5 * mean)
    return np.array(state)


@pytest.mark.parametrize("optimizer", ["sgd", "sam", "lbfgs", "schedule_free_sgd"])
def test_each_trial_s_state_follows_its_own_batches_once_a_step_whatever_the_optimizer_evaluates(train, optimizer):
    curves = train(centred(), catalogue()[optimizer], {"learning_rate": RATES[:2]}, 6, batch_size=4, trials=TRIALS)
    for seed, trial in enumerate(TRIALS):
        for point in range(2):
            np.testing.assert_allclose(curves.metrics["train_mean"][seed, point], running_means(trial, 6), rtol=1e-12)
    np.testing.assert_array_equal(curves.metrics["train_batches"], np.broadcast_to(np.arange(7.0), (2, 2, 7)))


def test_decay_leaves_the_state_alone(train):
    rates = {"learning_rate": np.array([0.1]), "weight_decay": np.array([0.5])}
    decayed = train(centred(), catalogue()["adamw"], rates, 4, batch_size=4, trials=TRIALS[:1])
    np.testing.assert_allclose(decayed.metrics["train_mean"][0, 0], running_means(TRIALS[0], 4), rtol=1e-12)


def test_points_that_are_split_or_dropped_keep_their_state(train):
    options = {"batch_size": 4, "record_every": 2, "trials": TRIALS}
    asked = centred(), catalogue()["adam"], {"learning_rate": RATES}, 16
    split = train(*asked, parts=4, how=partial(sweep_halving, shares=(1 / 8, 1 / 2)), **options)
    alive = np.flatnonzero(split.stopped_at < 0)
    assert len(alive) == 1
    for seed, trial in enumerate(TRIALS):
        expected = running_means(trial, 16)[::2]
        np.testing.assert_allclose(split.metrics["train_mean"][seed, alive[0]], expected, rtol=1e-12)


def test_a_frozen_trial_keeps_its_state(train):
    """At a rate of 1e30 the second loss is not finite in float32; what was counted then stays out."""
    curves = train(
        centred(),
        catalogue()["sgd"],
        {"learning_rate": [1e30, 0.1]},
        4,
        batch_size=4,
        trials=TRIALS[:1],
        dtype="float32",
    )
    assert curves.diverged_at[0].tolist() == [1, -1]
    assert curves.metrics["train_batches"][0, 1].tolist() == [0, 1, 2, 3, 4]


def test_where_parameters_are_averaged_the_state_is_that_of_the_average(train):
    """A state that holds the parameters which the loss saw: evaluation must see those that it evaluates."""

    def loss(x, rows, key, state):
        return (x - 3.0) ** 2 / 2, x

    problem = Problem(
        init=lambda key: jnp.zeros(()),
        state=lambda key: jnp.zeros(()),
        loss=loss,
        metrics=lambda x, rows, state: {"loss": (x - 3.0) ** 2, "difference": x - state},
        source="by hand",
    )
    curves = train(problem, catalogue()["schedule_free_sgd"], {"learning_rate": RATES[:2]}, 5)
    np.testing.assert_array_equal(curves.metrics["train_difference"], 0.0)
    assert (curves.metrics["train_loss"][..., -1] < curves.metrics["train_loss"][..., 0]).all()


def test_the_state_keeps_the_precision_it_began_in(train):
    problem = centred()
    curves = {
        dtype: train(problem, catalogue()["sgd"], {"learning_rate": [0.1]}, 3, batch_size=4, dtype=dtype)
        for dtype in ("bfloat16", "float32")
    }
    np.testing.assert_allclose(*(each.metrics["train_mean"] for each in curves.values()), rtol=1e-2)


class TestRefusals:
    def failure(self, train, problem, optimizer="sgd", dtype="float64"):
        with pytest.raises((TypeError, ValueError)) as error:
            train(problem, catalogue()[optimizer], {"learning_rate": [0.1]}, 2, dtype=dtype)
        assert "\n" not in str(error.value)
        return str(error.value)

    @pytest.mark.parametrize(
        ("returned", "message"),
        [
            (lambda x, state: x**2, "expected (loss, state)"),
            (lambda x, state: (x**2, (state, state)), "another structure"),
            (lambda x, state: (x**2, {"mean": jnp.zeros(2)}), "mean from float64[] to float64[2]"),
            (lambda x, state: (x**2, {"mean": jnp.int32(0)}), "mean from float64[] to int32[]"),
        ],
        ids=["no-state", "structure", "shape", "kind"],
    )
    def test_a_loss_that_returns_another_state_is_told_in_one_line(self, train, returned, message):
        problem = Problem(
            init=lambda key: jnp.ones(()),
            state=lambda key: {"mean": jnp.zeros(())},
            loss=lambda x, batch, key, state: returned(x, state),
            metrics=lambda x, data, state: {"loss": x**2},
            source="by hand",
        )
        assert message in self.failure(train, problem)

    def test_gradients_of_single_examples_have_no_statistics(self, train):
        assert "each example's own gradient" in self.failure(train, centred(), "dpsgd")

    @pytest.mark.parametrize("make", ["linen", "nnx", "pure"])
    def test_statistics_among_the_parameters_are_told_with_the_way_out(self, train, make):
        message = self.failure(train, within_parameters(make), dtype="float32")
        assert "a model's state that no optimizer may touch" in message
        assert {"linen": "batch_stats", "nnx": "nnx.BatchStat norm/mean", "pure": "norm/mean"}[make] in message
        assert "Problem(state=...)" in message and "supervised" in message

    def test_a_parameter_that_only_the_loss_sees_is_none(self, train):
        problem = Problem(
            init=lambda key: {"x": jnp.ones(()), "unused": jnp.ones(()), "loss_only": jnp.ones(())},
            loss=lambda p, batch, key: p["x"] ** 2 + p["loss_only"] ** 2,
            metrics=lambda p, data: {"loss": p["x"] ** 2},
            source="by hand",
        )
        assert train(problem, catalogue()["sgd"], {"learning_rate": [0.1]}, 2).metrics["train_loss"][0, 0, -1] < 1

    @pytest.mark.parametrize(
        ("params", "name"),
        [
            ({"dense": {"kernel": 1.0}}, None),
            ({"params": {"kernel": 1.0}, "batch_stats": {"mean": 1.0}}, "linen's batch_stats"),
            ({"model": {"batch_stats": {"mean": 1.0}}}, "linen's batch_stats"),
            ({"params": {"kernel": 1.0}, "cache": {"index": 1.0}}, "linen's cache"),
            ({"params": {"kernel": 1.0}, "intermediates": {"x": 1.0}}, "linen's intermediates"),
            # Names of one's own, without linen's "params" beside them, or within.
            ({"cache": {"index": 1.0}, "kernel": 1.0}, None),
            ({"params": {"cache": 1.0}, "kernel": 1.0}, None),
            ([1.0, {"cache": 2.0}], None),
            (1.0, None),
        ],
        ids=str,
    )
    def test_flax_s_names_for_a_state_are_known(self, params, name):
        assert model_state._named_state(params) == name

    @pytest.mark.parametrize(
        ("returned", "message"),
        [((1.0, 2.0, 3.0), "a tuple of 3"), ((1.0,), "a tuple of 1"), ([1.0, 2.0], "list"), (1.0, "float")],
        ids=str,
    )
    def test_what_a_loss_returned_in_place_of_a_pair_is_said(self, returned, message):
        loss = model_state.stateful_loss(replace(centred(), loss=lambda *given: returned))
        with pytest.raises(TypeError, match=f"^loss returned {message}; expected"):
            loss(1.0, (), jax.random.key(0), {"mean": 0.0})

    def test_a_state_keeps_its_kinds_of_numbers(self):
        old = {"mean": jnp.zeros(2, jnp.float32), "count": jnp.int32(0), "flag": jnp.array(False)}
        new = {"mean": jnp.ones(2, jnp.bfloat16), "count": jnp.int32(3), "flag": jnp.array(True)}
        after = model_state._like(new, old)
        assert {name: (leaf.dtype, leaf.tolist()) for name, leaf in after.items()} == {
            "mean": (jnp.float32, [1, 1]),
            "count": (jnp.int32, 3),
            "flag": (jnp.bool_, True),
        }
        for changed in ({"count": jnp.int8(3)}, {"flag": jnp.int32(1)}, {"mean": jnp.ones(2, jnp.int32)}):
            with pytest.raises(TypeError, match=f"changed the state's {next(iter(changed))} from "):
                model_state._like(new | changed, old)


def within_parameters(kind):
    """Return a problem that hides batch normalization's statistics in its parameters, as plug-ins used to."""
    x = np.linspace(-1, 1, 32).reshape(16, 2)

    class Linen(linen.Module):
        @linen.compact
        def __call__(self, x, train):
            return linen.Dense(1)(linen.BatchNorm(use_running_average=not train)(x))

    class Net(nnx.Module):
        def __init__(self, rngs):
            self.norm, self.out = nnx.BatchNorm(2, rngs=rngs), nnx.Linear(2, 1, rngs=rngs)

        def __call__(self, x):
            return self.out(self.norm(x))

    if kind == "linen":
        init = lambda key: Linen().init(key, x, False)  # noqa: E731
        apply = lambda p, x, train: Linen().apply(p, x, train, mutable=["batch_stats"])[0]  # noqa: E731
    else:
        graph, evaluated = (
            nnx.graphdef(nnx.view(Net(nnx.Rngs(0)), use_running_average=flag)) for flag in (False, True)
        )
        state = lambda key: nnx.state(Net(nnx.Rngs(key)))  # noqa: E731
        init = state if kind == "nnx" else lambda key: nnx.to_pure_dict(state(key))
        apply = lambda p, x, train: nnx.merge(graph if train else evaluated, p)(x)  # noqa: E731
    squared = lambda predicted: jnp.mean(predicted**2)  # noqa: E731
    return Problem(
        init=init,
        loss=lambda p, batch, key: squared(apply(p, batch, True)),
        metrics=lambda p, data: {"loss": squared(apply(p, data, False))},
        source="by hand",
        train=x,
    )
