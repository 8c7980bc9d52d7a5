"""Complex parameters are twice as many real ones, in everything that a problem says of them."""

import jax
import jax.numpy as jnp
import numpy as np

from optbench.problems.problem import Problem
from optbench.sweep.complex_parts import Parts, apart, in_reals, together

CENTRE = 3 - 4j


def problem(**fields):
    """Return |z - centre|^2 + x^2, whose parameters are complex and real."""
    value = lambda p: jnp.sum(jnp.abs(p["z"] - CENTRE) ** 2) + p["x"] ** 2  # noqa: E731
    return Problem(
        init=lambda key: {"z": jnp.array([1 + 2j, 0j]), "x": jnp.ones(())},
        loss=lambda p, batch, key: value(p),
        metrics=lambda p, data: {"loss": value(p)},
        source="by hand",
        **fields,
    )


def test_parts_are_put_together_as_they_were():
    tree = {"z": jnp.array([1 + 2j, -3j]), "x": np.ones(2), "n": np.array([1, 2]), "w": np.array([2 - 1j])}
    parts = apart(tree)
    assert (parts["z"].real.tolist(), parts["z"].imag.tolist()) == ([1, 0], [2, -3])
    assert isinstance(parts["w"], Parts) and parts["x"] is tree["x"] and parts["n"] is tree["n"]
    whole = together(jax.tree.map(jnp.asarray, parts))
    assert whole["z"].tolist() == [1 + 2j, -3j] and whole["w"].tolist() == [2 - 1j]


def test_a_problem_of_real_parameters_stays_as_it_is():
    real = Problem(lambda key: jnp.ones(2), lambda x, batch, key: x.sum(), lambda x, data: {"loss": x.sum()}, "test")
    assert in_reals(real) is real


def test_a_step_down_the_gradient_of_the_parts_goes_towards_the_centre():
    """At a rate of 1/2 it is there."""
    real = in_reals(problem())
    params = real.init(jax.random.key(0))
    gradient = jax.grad(lambda p: real.loss(p, (), jax.random.key(0)))(params)
    there = together(jax.tree.map(lambda p, g: p - g / 2, params, gradient))
    assert there["z"].tolist() == [CENTRE, CENTRE] and float(there["x"]) == 0
    assert float(real.metrics(params, ())["loss"]) == (4 + 36) + 25 + 1
    assert (real.project, real.minimiser) == (None, None)


def test_a_projection_and_a_minimiser_are_of_parts_too():
    halve = lambda p: jax.tree.map(lambda leaf: leaf / 2, p)  # noqa: E731
    best = lambda: {"z": np.array([CENTRE, CENTRE]), "x": np.zeros(())}  # noqa: E731
    real = in_reals(problem(project=halve, minimiser=best))
    assert together(real.project(real.init(jax.random.key(0))))["z"].tolist() == [0.5 + 1j, 0]
    assert real.minimiser()["z"].imag.tolist() == [-4, -4]
