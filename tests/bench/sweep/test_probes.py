"""What is measured of parameters beside the loss: against closed forms, plain loops, and for every probe there is."""

import re
import time
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from optbench import problems
from optbench.optimizers import catalogue
from optbench.problems.problem import Problem
from optbench.store.schema import FIXED, METRICS
from optbench.sweep import devices
from optbench.sweep.evaluation import metrics_of, with_probes, write_evaluation
from optbench.sweep.halving import sweep_halving
from optbench.sweep.probes import PROBES, Finals, Probe, between, float_leaves, norm, probes_at, seed_distance
from optbench.sweep.problem_data import prepare
from optbench.sweep.step import Recipe
from optbench.sweep.sweep import Points, compile_sweep, measuring_ends, sweep

AT_RECORDS = ("distance", "gradient_norm", "parameter_norm")
TRIALS = ("0/report/0", "0/report/1", "0/report/2")

#: Eigenvalues, and where every trial begins.
H, START = np.array([0.2, 1.0, 3.0]), np.array([2.0, -1.0, 0.5])


def bowl(**fields):
    """f(x) = sum(h x^2) / 2, whose gradient is h x."""
    value = lambda x: jnp.sum(jnp.asarray(H, x.dtype) * x**2) / 2  # noqa: E731
    return Problem(
        init=lambda key: jnp.asarray(START, jnp.result_type(float)),
        loss=lambda x, batch, key: value(x),
        metrics=lambda x, data: {"loss": value(x)},
        source="by hand",
        **fields,
    )


def network():
    return problems.factory("mlp")(data="iris", width=4)


RATES = np.array([0.1, 0.5])


class TestClosedForm:
    @pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-12), ("float32", 1e-5)])
    def test_gradient_descent_on_a_bowl_is_known_at_every_step(self, train, dtype, rtol):
        curves = train(bowl(), catalogue()["sgd"], {"learning_rate": RATES}, 6, dtype=dtype, probes=AT_RECORDS)
        # x after t steps: (1 - rate h)^t x0.
        x = (1 - RATES[:, None, None] * H) ** np.arange(7)[:, None] * START
        expected = {
            "gradient_norm": np.linalg.norm(H * x, axis=-1),
            "parameter_norm": np.linalg.norm(x, axis=-1),
            "distance": np.linalg.norm(x - START, axis=-1),
        }
        assert {*curves.metrics} == {"train_loss", *expected}
        for name, values in expected.items():
            np.testing.assert_allclose(curves.metrics[name][0], values, rtol=rtol, atol=1e-15, err_msg=name)

    def test_what_is_measured_does_not_change_what_is_trained(self, train):
        asked = bowl(), catalogue()["adam"], {"learning_rate": RATES}, 6
        with_probes, without = train(*asked, probes=AT_RECORDS), train(*asked)
        np.testing.assert_array_equal(with_probes.step_loss, without.step_loss)
        np.testing.assert_allclose(with_probes.metrics["train_loss"], without.metrics["train_loss"], rtol=1e-14)

    def test_a_diverged_trial_is_nan_from_there_on_and_touches_no_other(self, train):
        asked = bowl(), catalogue()["sgd"]
        both = train(*asked, {"learning_rate": [0.1, 1e30]}, 40, dtype="float32", probes=AT_RECORDS)
        alone = train(*asked, {"learning_rate": [0.1, 0.1]}, 40, dtype="float32", probes=AT_RECORDS)
        gone = int(both.diverged_at[0, 1])
        assert gone > 0
        for name in AT_RECORDS:
            assert np.isnan(both.metrics[name][0, 1, gone:]).all()
            np.testing.assert_array_equal(both.metrics[name][0, 0], alone.metrics[name][0, 0])

    def test_averaged_parameters_are_measured_where_they_are_evaluated(self, train):
        """Of schedule-free sgd without momentum (b1 = 0) the evaluated x is the running mean of the iterates z."""
        optimizer = catalogue()["schedule_free_sgd"]
        curves = train(bowl(), optimizer, {"learning_rate": [0.1, 0.2]}, 5, probes=AT_RECORDS)
        value = optimizer.build(learning_rate=0.1)
        params = jnp.asarray(START, jnp.float32)
        state, shown = value.init(params), [np.array(params)]
        for _ in range(5):
            updates, state = value.update(jnp.asarray(H, jnp.float32) * params, state, params)
            params = optax.apply_updates(params, updates)
            shown.append(np.array(optimizer.evaluation_params(state, params)))
        assert not np.allclose(params, shown[-1])
        np.testing.assert_allclose(
            curves.metrics["distance"][0, 0], np.linalg.norm(np.array(shown) - START, axis=1), rtol=1e-5
        )
        np.testing.assert_allclose(
            curves.metrics["gradient_norm"][0, 0], np.linalg.norm(H * np.array(shown), axis=1), rtol=1e-5
        )


def test_a_network_is_measured_as_a_plain_loop_measures_it(train):
    problem, rate = network(), 0.1
    curves = train(problem, catalogue()["sgd"], {"learning_rate": [rate, 0.2]}, 5, trials=TRIALS[:1], probes=AT_RECORDS)
    with devices.settings("float64", jax.devices()[0]):
        prepared = prepare(problem, "float64", jax.devices()[0])
        start = jax.tree.map(lambda leaf: jnp.asarray(leaf[0]), prepared.init(TRIALS[:1]))
        params, key = start, jax.random.key(0)
        expected = []
        for _ in range(6):
            gradient = jax.grad(problem.loss)(params, prepared.train, key)
            flat = [jax.flatten_util.ravel_pytree(tree)[0] for tree in (gradient, params, start)]
            expected.append([*map(jnp.linalg.norm, flat[:2]), jnp.linalg.norm(flat[1] - flat[2])])
            params = jax.tree.map(lambda leaf, slope: leaf - rate * slope, params, gradient)
    got = np.stack([curves.metrics[name][0, 0] for name in ("gradient_norm", "parameter_norm", "distance")], axis=1)
    np.testing.assert_allclose(got, np.array(expected), rtol=1e-5)


def test_bfloat16_is_measured_in_float32(train):
    """Of mixed precision the parameters stay float32, so only the gradient feels the arithmetic."""
    asked = network(), catalogue()["sgd"], {"learning_rate": [0.05, 0.1]}, 4
    mixed, plain = (train(*asked, dtype=dtype, probes=AT_RECORDS).metrics for dtype in ("bfloat16", "float32"))
    np.testing.assert_array_equal(mixed["parameter_norm"][..., 0], plain["parameter_norm"][..., 0])
    for name in AT_RECORDS:
        np.testing.assert_allclose(mixed[name], plain[name], rtol=0.05, err_msg=name)


@pytest.mark.parametrize("optimizer", ["adam", "schedule_free_adamw"])
def test_points_that_are_split_or_dropped_are_measured_as_all_at_once(train, optimizer):
    rates = {"learning_rate": np.geomspace(1e-3, 1e-1, 6)}
    asked = network(), catalogue()[optimizer], rates, 16
    options = {"batch_size": 8, "record_every": 2, "trials": TRIALS, "probes": AT_RECORDS}
    whole, split = train(*asked, **options), train(*asked, parts=3, **options)
    halved = train(*asked, parts=4, how=partial(sweep_halving, shares=(1 / 8, 1 / 2)), **options)
    alive = halved.stopped_at < 0
    assert 0 < alive.sum() < 6
    for name in AT_RECORDS:
        np.testing.assert_allclose(split.metrics[name], whole.metrics[name], rtol=1e-9, err_msg=name)
        np.testing.assert_allclose(halved.metrics[name][:, alive], whole.metrics[name][:, alive], rtol=1e-9)
        assert np.isnan(halved.metrics[name][:, ~alive, -1]).all()


def parameters(*leading):
    """Return the shapes of a network's parameters."""
    shapes = jax.eval_shape(network().init, jax.random.key(0))
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct((*leading, *a.shape), a.dtype), shapes)


def test_without_probes_what_evaluates_is_what_it_was_before_there_were_any():
    problem = network()
    metrics, splits = metrics_of(problem, "float32"), {"train": problem.train, "test": problem.test}
    written = write_evaluation(metrics, {}, parameters(), splits, 2**12)

    def evaluate(constants, splits, params):
        def one(params):
            values = metrics(params, splits)
            return jnp.stack([values[name] for name in ("test_accuracy", "test_loss", "train_accuracy", "train_loss")])

        trials = jax.tree.map(lambda a: a.reshape(6, *a.shape[2:]), params)
        values = jax.lax.map(one, trials, batch_size=2)
        return jnp.moveaxis(values.reshape(2, 3, -1), -1, 0)

    plain, probed = (
        jax.jit(function).lower(written.constants, splits, parameters(2, 3), *start).as_text()
        for function, start in (
            (evaluate, ()),
            (
                write_evaluation(metrics, probes_at("record", AT_RECORDS), parameters(), splits, 2**12).evaluate,
                ((), parameters(2)),
            ),
        )
    )
    assert jax.jit(written.evaluate).lower(written.constants, splits, parameters(2, 3), ()).as_text() == plain
    assert len(probed) > len(plain)


def test_training_is_the_same_program_with_probes():
    device = jax.devices()[0]
    points = Points({"learning_rate": np.array([0.1])}, np.zeros(1, int), np.ones((4, 1)))

    def compiled(probes):
        recipe = Recipe(prepare(network(), "float32", device, probes=probes), catalogue()["adam"], 8, 4, 2)
        sweep = compile_sweep(recipe, points, TRIALS, 2**40)
        return [instructions(program.as_text()) for program in (sweep.start, sweep.chunk)]

    with devices.settings("float32", device):
        without, probed = compiled(()), compiled((*AT_RECORDS, "seed_distance"))
    assert min(map(len, without)) > 10 and without == probed


def instructions(text):
    """List a compiled program's instructions, without the places in the source that they came from."""
    return [re.sub(r", metadata={[^}]*}", "", line) for line in text.splitlines() if re.match(r"\s+(ROOT )?%", line)]


class TestLeaves:
    def test_counters_keys_and_nothing_are_no_parameters(self):
        tree = {"x": jnp.array([3.0, 4.0]), "steps": jnp.array([7, 8]), "none": None, "key": jax.random.key(0)}
        assert [leaf.tolist() for leaf in float_leaves(tree)] == [[3.0, 4.0]]
        metrics = lambda params, data, state: {"train_loss": jnp.sum(params["x"] ** 2) * jnp.sum(params["steps"])}  # noqa: E731
        measured = with_probes(metrics, probes_at("record", AT_RECORDS))(
            tree, {"train": ()}, (), tree | {"x": jnp.array([3.0, 1.0])}
        )
        # The gradient is 2 x (7 + 8).
        expected = {"gradient_norm": 150.0, "parameter_norm": 5.0, "distance": 3.0, "train_loss": 375.0}
        assert {name: float(value) for name, value in measured.items()} == expected

    def test_norms_are_added_up_in_float32_at_least(self):
        # In bfloat16 a sum of ones stays at 256.
        assert float(norm([jnp.ones(1024, jnp.bfloat16)])) == 32.0
        assert norm([jnp.ones(2, jnp.bfloat16)]).dtype == np.float32


class TestSeedDistance:
    def by_hand(self, last, start):
        """Compute what numpy gives of parameters [seed, element]."""
        pairs = np.linalg.norm(last[:, None] - last[None], axis=-1)
        return pairs.sum(axis=1) / (len(last) - 1) / np.linalg.norm(last - start, axis=1).mean()

    def finals(self, last, start, finite):
        return Finals(jnp.asarray(last), jnp.asarray(start), jnp.asarray(finite), lambda params: params.sum())

    def test_is_what_numpy_computes(self):
        random = np.random.default_rng(0)
        last, start = random.normal(size=(2, 4, 3))
        got = seed_distance(self.finals(last, start, [True] * 4))
        np.testing.assert_allclose(got, self.by_hand(last, start), rtol=1e-5)

    def test_seeds_that_diverged_are_left_out(self):
        random = np.random.default_rng(0)
        last, start = random.normal(size=(2, 4, 3))
        last[2] = np.inf
        got = seed_distance(self.finals(last, start, [True, True, False, True]))
        kept = [0, 1, 3]
        np.testing.assert_allclose(np.array(got)[kept], self.by_hand(last[kept], start[kept]), rtol=1e-5)

    def test_one_seed_has_no_other(self):
        assert np.isnan(seed_distance(self.finals(np.ones((1, 2)), np.zeros((1, 2)), [True]))).all()

    def test_seeds_of_a_convex_problem_end_at_one_place(self, train):
        problem = problems.factory("quadratic")(dim=3, condition=2.0)
        asked = problem, catalogue()["sgd"], {"learning_rate": 1.0}
        early, late = (train(*asked, steps, trials=TRIALS, probes=["seed_distance"]) for steps in (1, 60))
        distances = [curves.metrics["seed_distance"] for curves in (early, late)]
        assert all(values.shape == (3, 1, len(values[0, 0])) for values in distances)
        assert all(np.isnan(values[..., :-1]).all() for values in distances)
        assert (distances[0][..., -1] > 0.01).all() and (distances[1][..., -1] < 1e-9).all()

    @pytest.mark.parametrize("parts", [1, 2])
    def test_the_first_of_several_points_is_measured_whether_or_not_they_are_split(self, train, parts):
        """A report phase has a point for each criterion, and the main one comes first."""
        problem = problems.factory("quadratic")(dim=3, condition=2.0)
        asked = problem, catalogue()["sgd"]
        how = lambda compiled, points: sweep(measuring_ends(compiled, points), points)  # noqa: E731
        options = {"trials": TRIALS, "probes": ["seed_distance"]}
        alone = train(*asked, {"learning_rate": 0.1}, 4, **options).metrics["seed_distance"]
        both = train(*asked, {"learning_rate": [0.1, 1.0]}, 4, how=how, parts=parts, **options)
        values = both.metrics["seed_distance"]
        np.testing.assert_allclose(values[:, 0, -1], alone[:, 0, -1], rtol=1e-9)
        assert np.isnan(values[:, 1]).all()

    @pytest.mark.parametrize("optimizer", ["schedule_free_adamw", "noisy_sgd"])
    def test_seeds_of_a_network_end_apart(self, train, optimizer):
        """By averaged parameters where the optimizer evaluates those, and with random keys in its state."""
        asked = network(), catalogue()[optimizer], {"learning_rate": 0.01}, 8
        options = {"batch_size": 8, "trials": TRIALS, "record_every": 4}
        curves = train(*asked, probes=["seed_distance"], **options)
        assert (curves.metrics["seed_distance"][:, 0, -1] > 1).all()

    def test_averaged_parameters_are_what_is_compared(self, train):
        """By the distances from the start, which are those of the evaluated parameters: their mean is the unit."""
        problem = bowl()
        asked = problem, catalogue()["schedule_free_sgd"], {"learning_rate": 0.1}, 5
        curves = train(*asked, trials=TRIALS, probes=["far", "distance"])
        np.testing.assert_allclose(curves.metrics["far"][:, 0, -1], curves.metrics["distance"][:, 0, -1], rtol=1e-12)

    @pytest.fixture(autouse=True)
    def far(self, monkeypatch):
        """Measure at the end what `distance` measures at records."""
        far = Probe("as distance", "end", lambda at: jax.vmap(between)(at.params, at.start))
        monkeypatch.setitem(PROBES, "far", far)

    def test_a_seed_that_diverged_has_none(self, train):
        """Only the start decides whether this objective is finite."""
        problem = bowl()
        problem = replace(problem, init=lambda key: jnp.asarray(START) * 10.0 ** (200 * jax.random.bernoulli(key)))
        curves = train(problem, catalogue()["sgd"], {"learning_rate": 0.1}, 4, trials=TRIALS * 2, probes=["far"])
        lost = curves.diverged_at[:, 0] >= 0
        assert 0 < lost.sum() < 6
        assert (np.isnan(curves.metrics["far"][:, 0, -1]) == lost).all()


def test_the_time_that_the_end_takes_to_compile_is_part_of_the_sweep_s():
    """Both are parts of the time that it took to make the program; the second of a jitted one is not nothing."""
    with devices.settings("float64", jax.devices()[0]):
        recipe = Recipe(
            prepare(bowl(), "float64", jax.devices()[0], probes=["seed_distance"]), catalogue()["sgd"], "full", 1, 1
        )
        points = Points({"learning_rate": RATES}, np.zeros(2, int), np.ones((1, 1)))
        compiled = compile_sweep(recipe, points, TRIALS, 2**40)
        began = time.perf_counter()
        measuring = measuring_ends(compiled, points)
        took = time.perf_counter() - began
    seconds = measuring.ends.trace_seconds, measuring.ends.compile_seconds
    assert min(seconds) > 0 and sum(seconds) <= took
    assert measuring.trace_seconds == compiled.trace_seconds + seconds[0]
    assert measuring.compile_seconds == compiled.compile_seconds + seconds[1]
    assert 0 < compiled.trace_seconds < began and 0 < compiled.compile_seconds < began


#: Each kind of problem: data in batches, a stream, deterministic, with noise in its loss, with metrics of its own.
TINY = {
    "network": ("mlp", {"data": "iris", "width": 4}, "adam", 8),
    "dropout": ("mlp", {"data": "iris", "width": 4, "dropout": 0.5}, "adam", 8),
    "regression": ("linear_regression", {"data": "synthetic", "rows": 12, "dim": 3}, "schedule_free_adamw", 4),
    "stream": ("quadratic", {"dim": 3, "condition": 2.0, "noise": 0.1}, "sgd", 4),
    "deterministic": ("test_function", {}, "adam", "full"),
    "own-metrics": ("separable", {}, "sgd", "full"),
}


@pytest.mark.parametrize("case", TINY)
def test_every_probe_is_finite_and_of_one_seed_what_it_is_of_many(train, case):
    family, parameters, optimizer, batch_size = TINY[case]
    names = tuple(PROBES)
    asked = problems.factory(family)(**parameters), catalogue()[optimizer], {"learning_rate": 1e-3}, 4
    options = {"batch_size": batch_size, "record_every": 2, "probes": names}
    many = train(*asked, trials=TRIALS, **options).metrics
    for name in names:
        measured = many[name] if PROBES[name].when == "record" else many[name][..., -1]
        assert np.isfinite(measured).all(), name
    one = train(*asked, trials=TRIALS[1:2], **options).metrics
    for name in probes_at("record", names):
        np.testing.assert_allclose(one[name][0], many[name][1], rtol=1e-9, atol=1e-15, err_msg=name)


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_says_what_it_is(name):
    probe = PROBES[name]
    assert re.fullmatch("[a-z][a-z0-9_]*", name)
    taken = {*FIXED, *METRICS, "gap", "steps_to_target", "time_to_target"}
    assert name not in taken and not name.startswith(("train_", "test_"))
    assert probe.when in ("record", "end") and probe.higher_is_better in (None, True, False)
    assert len(probe.meaning) > 10 and not probe.meaning.endswith(".")


def test_a_problem_whose_loss_has_noise_is_measured_without_it(train):
    """The gradient of a network with dropout is that of the plain network, on the training set as it is evaluated."""
    asked = catalogue()["sgd"], {"learning_rate": 0.0}, 1
    noisy, plain = (
        train(problems.factory("mlp")(data="iris", width=4, dropout=rate), *asked, batch_size=8, probes=AT_RECORDS)
        for rate in (0.5, 0.0)
    )
    np.testing.assert_allclose(noisy.metrics["gradient_norm"], plain.metrics["gradient_norm"], rtol=1e-12)
