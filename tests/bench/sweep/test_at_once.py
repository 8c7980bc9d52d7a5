"""Trials one after another inside a program, and convolutions inside loops: the same numbers, by another way."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.optimizers import catalogue
from optbench.problems import factory
from optbench.problems.problem import Problem
from optbench.sweep import at_once, devices
from optbench.sweep.at_once import _faster as at_once_of
from optbench.sweep.at_once import points_at_once
from optbench.sweep.problem_data import prepare
from optbench.sweep.schedules import multipliers
from optbench.sweep.step import Recipe
from optbench.sweep.sweep import Points, compile_sweep, sweep

TRIALS = ("0/select/0", "0/select/1")
CPU = jax.devices("cpu")[0]


def convolving():
    """Return two layers of convolutions with a kernel of their own, strided and dilated, on random images."""
    images = np.random.default_rng(0).normal(size=(16, 6, 6, 1))

    def loss(kernels, rows, key):
        layout = ("NHWC", "HWIO", "NHWC")
        x = jax.lax.conv_general_dilated(rows, kernels[0], (2, 2), "SAME", dimension_numbers=layout)
        x = jax.lax.conv_general_dilated(
            jnp.tanh(x), kernels[1], (1, 1), "SAME", rhs_dilation=(2, 2), dimension_numbers=layout
        )
        return jnp.mean((x - 1) ** 2)

    def init(key):
        return [jax.random.normal(key, shape) / 3 for shape in ((3, 3, 1, 4), (3, 3, 4, 2))]

    return Problem(init, loss, lambda p, data: {"loss": loss(p, data, None)}, "by hand", train=images)


def curves(problem, lot, optimizer="adam", batch_size=4, num_points=6, steps=4):
    with devices.settings("float64", CPU):
        recipe = Recipe(prepare(problem, "float64", CPU), catalogue()[optimizer], batch_size, steps, 2, at_once=lot)
        rates = np.geomspace(1e-3, 1e-1, num_points)
        table = np.stack([multipliers(name, 0, steps) for name in ("constant", "cosine")], axis=1)
        points = Points({"learning_rate": rates}, np.arange(num_points) % 2, table)
        return sweep(compile_sweep(recipe, points, TRIALS, 2**40), points)


@pytest.mark.parametrize("lot", [1, 3, 4])
@pytest.mark.parametrize(
    ("name", "parameters", "optimizer", "batch_size"),
    [
        ("logistic_regression", {}, "schedule_free_adamw", 8),
        ("quadratic", {"dim": 4, "noise": 0.1}, "noisy_sgd", 4),
        ("quadratic", {"dim": 4}, "lbfgs", "full"),
    ],
    ids=["rows", "stream", "whole"],
)
def test_lots_of_points_train_as_all_at_once(name, parameters, optimizer, batch_size, lot):
    problem = factory(name)(**parameters)
    whole, lots = (curves(problem, number, optimizer, batch_size) for number in (0, lot))
    for metric, values in whole.metrics.items():
        np.testing.assert_allclose(lots.metrics[metric], values, rtol=1e-7, atol=1e-12, err_msg=metric)
    np.testing.assert_allclose(lots.step_loss, whole.step_loss, rtol=1e-7, atol=1e-12)
    np.testing.assert_array_equal(lots.gradient_evaluations, whole.gradient_evaluations)


def test_convolutions_in_a_loop_are_those_of_a_plain_loop():
    problem = convolving()
    found = curves(problem, 1, "sgd", "full", num_points=2, steps=4)
    other = curves(problem, 0, "sgd", "full", num_points=2, steps=4)
    np.testing.assert_allclose(found.step_loss, other.step_loss, rtol=1e-10)
    with jax.enable_x64(True):
        from optbench.sweep.streams import key_data

        params = problem.init(jax.random.wrap_key_data(key_data(TRIALS[:1], "init")[0, 0]))
        losses = []
        for _ in range(4):
            value, gradient = jax.value_and_grad(problem.loss)(params, jnp.asarray(problem.train), None)
            params = jax.tree.map(lambda p, g: p - 1e-3 * g, params, gradient)
            losses.append(float(value))
    np.testing.assert_allclose(found.step_loss[0, 0], losses, rtol=1e-9)


def test_convolutions_are_lowered_in_the_fast_layout_inside_our_programs_alone():
    problem = convolving()
    images = jnp.asarray(problem.train, jnp.float32)
    gradient = lambda kernels: jax.grad(problem.loss)(kernels, images, None)  # noqa: E731
    kernels = jax.tree.map(lambda a: a.astype(jnp.float32), problem.init(jax.random.key(0)))

    def layouts():
        text = jax.jit(lambda k: gradient(k)).lower(kernels).as_text()
        return {line.split("dim_numbers = ")[1].split(", window")[0] for line in text.splitlines() if "dim_num" in line}

    before = layouts()
    with devices.settings("float32", CPU):
        inside = layouts()
    assert len(inside) == 1 < len(before)
    assert layouts() == before


class TestChoice:
    def recipe(self, problem):
        return Recipe(prepare(problem, "float32", CPU), catalogue()["sgd"], 4, 2, 1)

    def test_small_layers_run_together_unmeasured(self, monkeypatch):
        monkeypatch.setattr(at_once, "_faster", lambda *_: pytest.fail("measured"))
        with devices.settings("float32", CPU):
            assert points_at_once(self.recipe(factory("logistic_regression")()), 12) == 0
            assert points_at_once(self.recipe(convolving()), 1) == 0

    @pytest.mark.parametrize(("slow", "choice"), [(0, 1), (1, 0)], ids=["at-once-is-slow", "in-turn-is-slow"])
    def test_the_faster_way_is_taken(self, slow, choice):
        clock = {"now": 0.0}

        def program(seconds):
            def run():
                clock["now"] += seconds

            return run

        programs = [program(2.0 if index == slow else 1.0) for index in (0, 1)]
        assert at_once._faster(programs, (), now=lambda: clock["now"]) == choice

    @pytest.mark.parametrize(
        ("at_once", "in_turn", "choice"),
        [
            # The first turn, which may still load something, does not count, and of the others the fastest does.
            *(([9, 1, 1, 1, 1], [1, 9, 9, 9, 9], 0), ([1, 2, 2, 2, 2], [9, 1, 9, 9, 9], 1)),
            *(([0, 5, 2, 5, 5], [0, 5, 5, 5, 1], 1), ([0, 5, 2, 5, 5], [0, 5, 5, 5, 2], 0)),
            # A twentieth is not clearly faster.
            *(([0, 100, 100, 100, 100], [0, 95, 95, 95, 95], 0), ([0, 100, 100, 100, 100], [0, 94, 94, 94, 94], 1)),
        ],
    )
    def test_one_after_another_has_to_be_clearly_faster(self, at_once, in_turn, choice):
        clock, seconds = {"now": 0.0}, [iter(at_once), iter(in_turn)]

        def program(which):
            def run(argument):
                assert argument == "argument"
                clock["now"] += next(seconds[which])

            return run

        assert at_once_of([program(0), program(1)], ("argument",), now=lambda: clock["now"]) == choice
        # Both have had all their turns.
        assert [next(one, None) for one in seconds] == [None, None]

    def test_a_choice_that_is_none_is_measured_again(self, tmp_path):
        at_once._write(tmp_path / "new" / "name", 1)
        assert at_once._read(tmp_path / "new" / "name") == 1
        assert [path.name for path in (tmp_path / "new").iterdir()] == ["name"]
        for text, choice in (("0", 0), ("2", None), ("-1", None), ("", None), ('"1"', None), ("[", None)):
            (tmp_path / "name").write_text(text)
            assert at_once._read(tmp_path / "name") == choice
        assert at_once._read(tmp_path / "nothing") is None
        # A folder that can't be written costs the next process a measurement.
        at_once._write(tmp_path / "name" / "within", 1)

    def test_what_was_measured_is_kept_in_this_process_where_there_is_no_cache(self, monkeypatch, tmp_path):
        monkeypatch.setattr(at_once, "_remembered", {})
        monkeypatch.setattr(devices, "cache_folder", lambda: tmp_path / "xla")
        monkeypatch.setattr(at_once, "_uses_disk", lambda: False)
        choices = iter([1, 0])
        for name, choice in (("one", 1), ("other", 0), ("one", 1), ("other", 0)):
            assert at_once._kept(name, lambda: next(choices)) == choice
        assert [*tmp_path.iterdir()] == []

    def test_two_trials_are_measured_and_those_on_several_devices_are_not(self, monkeypatch):
        monkeypatch.setattr(at_once, "_kept", lambda name, measure: 1)
        with devices.settings("float32", CPU):
            recipe = self.recipe(convolving())
            assert points_at_once(recipe, 2) == 1
            monkeypatch.setattr(type(recipe.prepared), "num_devices", 2)
            assert points_at_once(recipe, 2) == 0

    def test_what_was_measured_is_kept(self, monkeypatch, tmp_path):
        asked = []
        monkeypatch.setattr(at_once, "_faster", lambda *_: asked.append(1) or 1)
        monkeypatch.setattr(at_once, "_remembered", {})
        monkeypatch.setattr(devices, "cache_folder", lambda: tmp_path / "xla")
        monkeypatch.setattr(at_once, "_uses_disk", lambda: True)
        with devices.settings("float32", CPU):
            recipe = self.recipe(convolving())
            first = points_at_once(recipe, 6), points_at_once(replace(recipe, steps=9), 6)
            monkeypatch.setattr(at_once, "_remembered", {})
            assert (*first, points_at_once(recipe, 6)) == (1, 1, 1)
            assert len(asked) == 1
            next((tmp_path / "at_once").iterdir()).write_text("torn")
            monkeypatch.setattr(at_once, "_remembered", {})
            assert points_at_once(recipe, 6) == 1
        assert len(asked) == 2
