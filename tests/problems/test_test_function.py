"""The test functions are the published ones."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, least_squares, minimize

from optbench.problems.landscapes import test_function as module
from optbench.problems.landscapes._classics import FUNCTIONS

# under another name, as pytest would take the factory for a test
make = module.test_function
KEY = jax.random.key(0)
PI = math.pi

#: Values worked out by hand, or with a pocket calculator: name, point, value.
BY_HAND = [
    ("rosenbrock", (-1.2, 1), 24.2),
    ("rosenbrock", (0, 0, 0, 1, 2, 4), 1 + 101 + 1),
    ("beale", (1, 1), 1.5**2 + 2.25**2 + 2.625**2),
    ("branin", (0, 0), 36 + 20 - 10 / (8 * PI)),
    ("branin", (-PI, 12.275), 0.39788735772973816),
    ("branin", (3 * PI, 2.475), 0.39788735772973816),
    ("himmelblau", (0, 0), 170),
    ("himmelblau", (-2.805118086952745, 3.131312518250573), 0),
    ("himmelblau", (-3.779310253377747, -3.283185991286170), 0),
    ("himmelblau", (3.584428340330492, -1.848126526964404), 0),
    ("rastrigin", (1, 0), 1),
    ("rastrigin", (0.5, 1.5, 2), 0.25 + 20 + 2.25 + 20 + 4),
    ("ackley", (1, 1), 20 * (1 - math.exp(-0.2))),
    ("ackley", (0.5, 0.5), 20 * (1 - math.exp(-0.1)) + math.e - 1 / math.e),
    ("styblinski_tang", (0, 1, -1), (1 - 16 + 5 + 1 - 16 - 5) / 2),
    ("levy", (-3, 1), 1 + 10 * math.sin(1) ** 2),
    ("levy", (1, -3), 1),
    ("levy", (5, 5, 5), 1 + 10 * math.sin(1) ** 2 + 1 + 10 * math.sin(1) ** 2 + 1),
    ("powell_singular", (3, -1, 0, 1), 215),
    ("powell_singular", (0, 1, 0, 0, 1, 0, 0, 0), 100 + 1 + 1 + 10),
    ("wood", (-3, -1, -3, -1), 19192),
    ("helical_valley", (-1, 0, 0), 2500),
    ("helical_valley", (0, 2, 3), 100 * (0.5**2 + 1) + 9),
    ("helical_valley", (0, -2, -2.5), 100 + 2.5**2),
    ("freudenstein_roth", (0.5, -2), 400.5),
    ("freudenstein_roth", (0, 0), 13**2 + 29**2),
    ("brown_dennis", (25, 5, -5, -1), 7926693.336997432),
]

#: What 0 stands for, and the dimensions next to it that exist and don't.
DIMENSIONS = [
    ("rosenbrock", 2, (4, 6), (1, 3)),
    ("beale", 2, (2,), (1, 4)),
    ("rastrigin", 2, (1, 5), ()),
    ("ackley", 2, (1, 5), ()),
    ("levy", 2, (1, 5), ()),
    ("powell_singular", 4, (8,), (2, 6)),
    ("wood", 4, (4,), (8,)),
    ("helical_valley", 3, (3,), (2, 6)),
]


def value_of(name, point):
    with jax.enable_x64(True):
        return float(make(name, dim=len(point)).metrics(jnp.asarray(point, float), ())["loss"])


@pytest.mark.parametrize(("name", "point", "value"), BY_HAND, ids=[f"{n}{p}" for n, p, _ in BY_HAND])
def test_values_by_hand(name, point, value):
    np.testing.assert_allclose(value_of(name, point), value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_published_minimum_is_taken_at_the_minimiser_and_is_where_descent_ends(name):
    """Start an independent solver nearby, as those functions with several minima have one there."""
    problem = make(name)
    known, optimum = problem.minimiser(), problem.optimum()
    with jax.enable_x64(True):
        function = jax.jit(jax.value_and_grad(lambda x: problem.metrics(x, ())["loss"]))
        value, gradient = function(known)
        assert abs(value - optimum) <= 1e-12 * max(1, optimum) and np.abs(gradient).max() < 1e-7
        near = known + 0.1 * np.random.RandomState(0).standard_normal(known.size)
        found = minimize(lambda x: float(function(x)[0]), near, method="Nelder-Mead", options={"xatol": 1e-9})
    assert optimum - 1e-12 * abs(optimum) <= found.fun <= optimum + 1e-6 * max(1, optimum)
    if name != "powell_singular":  # so flat that values tell points apart to 1e-4 only
        np.testing.assert_allclose(found.x, known, rtol=1e-4, atol=1e-4)


def test_the_brown_dennis_minimum_is_that_of_least_squares_from_the_start():
    t = np.arange(1, 21) / 5
    solved = least_squares(
        lambda x: (x[0] + t * x[1] - np.exp(t)) ** 2 + (x[2] + x[3] * np.sin(t) - np.cos(t)) ** 2,
        (25, 5, -5, -1),
        **dict.fromkeys(("xtol", "ftol", "gtol"), 1e-15),
    )
    np.testing.assert_allclose(2 * solved.cost, make("brown_dennis").optimum(), rtol=1e-12)
    np.testing.assert_allclose(solved.x, make("brown_dennis").minimiser(), rtol=1e-5)


def test_the_styblinski_tang_minimum_is_the_lowest_root_of_its_derivative():
    root = brentq(lambda x: 4 * x**3 - 32 * x + 5, -4, -2, xtol=1e-15)
    problem = make("styblinski_tang", dim=3)
    np.testing.assert_allclose(problem.minimiser(), [root] * 3, rtol=1e-14)
    np.testing.assert_allclose(problem.optimum(), 3 * (root**4 - 16 * root**2 + 5 * root) / 2, rtol=1e-14)
    np.testing.assert_allclose(problem.optimum() / 3, -39.16617, atol=5e-6)


def test_freudenstein_roth_has_a_local_minimum_at_48_98():
    """Where x1 is best, f is (16 + 12 y + 4 y^2 - 2 y^3)^2 / 2 of y = x2, stationary at (2 +- sqrt(22)) / 3."""
    y = (2 - 22**0.5) / 3
    residuals = -13 + ((5 - y) * y - 2) * y, -29 + ((y + 1) * y - 14) * y
    point = (-sum(residuals) / 2, y)
    with jax.enable_x64(True):
        loss, x = FUNCTIONS["freudenstein_roth"].formula, jnp.asarray(point)
        np.testing.assert_allclose(loss(x), 48.98425367924, rtol=1e-12)
        gradient, hessian = jax.jit(lambda x: (jax.grad(loss)(x), jax.hessian(loss)(x)))(x)
    assert np.abs(gradient).max() < 1e-10 and np.linalg.eigvalsh(hessian).min() > 0


@pytest.mark.parametrize(("name", "own", "others", "refused"), DIMENSIONS, ids=[n for n, *_ in DIMENSIONS])
def test_functions_have_their_own_dimensions(name, own, others, refused):
    for given, dim in [(0, own), (own, own), *zip(others, others, strict=True)]:
        assert make(name, dim=given).init(KEY).shape == make(name, dim=given).minimiser().shape == (dim,)
    for dim in refused:
        with pytest.raises(ValueError, match=f"dim={dim} .*for {name}, or 0"):
            make(name, dim=dim)


def test_the_names_are_those_of_the_table():
    assert set(module.get_args(module.Name)) == set(FUNCTIONS)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if isinstance(FUNCTIONS[name].start, float | int)])
def test_starts_without_a_published_point_fill_the_box(name):
    width = FUNCTIONS[name].start
    starts = jax.jit(jax.vmap(make(name, dim=100).init))(jax.random.split(KEY, 100))
    assert 0.99 * width < jnp.abs(starts).max() <= width
    assert abs(starts.mean()) < 0.03 * width  # 10000 uniform draws: 5 standard deviations


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_are_finite_on_axes_and_far_away(name):
    gradient, size = jax.jit(jax.grad(FUNCTIONS[name].formula)), make(name).minimiser().size
    for point in [jnp.zeros(size), jnp.ones(size), -jnp.ones(size), *jnp.eye(size), *-jnp.eye(size)]:
        for scale in (1e-30, 1.0, 50.0):
            assert np.isfinite(gradient(scale * point)).all()


def test_the_helical_angle_is_continuous_where_arctan_jumps_and_turns_once_below():
    above, below = value_of("helical_valley", (-1, 1e-12, 5)), value_of("helical_valley", (-1, -1e-12, 5))
    np.testing.assert_allclose([above, below], 25, atol=1e-9)
    right, left = value_of("helical_valley", (1e-12, -1, 0)), value_of("helical_valley", (-1e-12, -1, 0))
    np.testing.assert_allclose([right, left], [100 * 2.5**2, 100 * 7.5**2], rtol=1e-9)


def test_noise_adds_a_random_slope_and_leaves_the_metric():
    noisy, exact = make("wood", noise=0.5), make("wood")
    x = noisy.init(KEY)
    gradient = lambda key: jax.grad(noisy.loss)(x, noisy.sample(key, 16, 0), KEY)  # noqa: E731
    errors = jax.jit(jax.vmap(gradient))(jax.random.split(KEY, 1000)) - jax.jit(jax.grad(exact.loss))(x, (), KEY)
    # in float32, beside a gradient of 12000: 4000 draws know their standard deviation to 1.1 %
    assert abs(errors.std() / (0.5 / 16**0.5) - 1) < 0.04
    assert noisy.metrics(x, ())["loss"] == exact.loss(x, (), KEY)


def test_momentum_reaches_the_target_on_rosenbrock_and_gradient_descent_does_not():
    problem = make("rosenbrock")

    def train(rate, momentum):
        def step(state, _):
            x, velocity = state
            velocity = momentum * velocity + jax.grad(problem.loss)(x, (), KEY)
            return (x - rate * velocity, velocity), None

        start = problem.init(KEY)
        return problem.loss(jax.lax.scan(step, (start, 0 * start), None, problem.steps)[0][0], (), KEY)

    with_momentum, *without = jax.jit(jax.vmap(train))(
        jnp.array([0.003, 5e-4, 1e-3, 2e-3]), jnp.array([0.9, 0.0, 0.0, 0.0])
    )
    assert with_momentum < problem.targets["train_loss"] and min(without) > 0.01
