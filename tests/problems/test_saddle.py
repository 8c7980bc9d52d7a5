"""The saddle has the stated heights, and gradient descent leaves it as the closed form says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.problems.landscapes.saddle import saddle

KEY = jax.random.key(0)


def frame(dim, rotated=True):
    """Repeat the draw of U: the orthogonal factor of a normal matrix from the seed."""
    return np.linalg.qr(np.random.RandomState(0).standard_normal((dim, dim)))[0] if rotated else np.eye(dim)


def descend(problem, rate, steps):
    """Return x and f(x) after every step of gradient descent, the start included."""

    def step(x, _):
        value, gradient = jax.value_and_grad(problem.loss)(x, (), KEY)
        return x - rate * gradient, (x, value)

    return jax.jit(lambda x: jax.lax.scan(step, x, None, steps + 1)[1])(problem.init(KEY))


def closed_form(n, curvature, rate, steps):
    """Follow |n| as the docstring says: it grows in a geometric row, and then its distance to 1 shrinks in one."""
    n = np.abs(n)
    escape = np.maximum(0, np.floor(np.log(0.5 / n) / np.log1p(rate * curvature)) + 1)
    t = np.arange(steps + 1)[:, None]
    inside = n * (1 + rate * curvature) ** np.minimum(t, escape)
    return np.where(t < escape, inside, 1 - (1 - inside) * (1 - rate * curvature) ** np.maximum(t - escape, 0)), escape


@pytest.mark.parametrize("rotated", [True, False], ids=["rotated", "aligned"])
@pytest.mark.parametrize(("curvature", "rate"), [(0.3, 0.5), (0.05, 1.3)])
def test_gradient_descent_follows_the_closed_form_at_every_step(curvature, rate, rotated):
    problem = saddle(dim=6, negative_directions=3, curvature=curvature, rotated=rotated)
    with jax.enable_x64(True):
        path, values = descend(problem, rate, 250)
    n = np.asarray(path) @ frame(6, rotated)
    expected, escape = closed_form(n[0, :3], curvature, rate, 250)
    assert (escape > 10).all() and (escape < 250).all()
    np.testing.assert_allclose(np.abs(n[:, :3]), expected, rtol=1e-8)
    np.testing.assert_allclose(n[:, 3:], n[0, 3:] * (1 - rate) ** np.arange(251)[:, None], rtol=1e-8, atol=1e-15)
    wells = np.where(expected <= 0.5, 0.25 - expected**2 / 2, (1 - expected) ** 2 / 2)
    np.testing.assert_allclose(values, curvature * wells.sum(1) + (n[:, 3:] ** 2).sum(1) / 2, rtol=1e-7, atol=1e-14)


def test_the_time_to_escape_is_a_ratio_of_logarithms():
    """Start at |n| = 1e-3: 0.5 / 1e-3 = 500, log(500) / log(1.01) = 624.6, so step 625 is the first beyond."""
    problem = saddle(dim=1, negative_directions=1, curvature=0.01)
    with jax.enable_x64(True):
        path, values = (np.asarray(a) for a in descend(problem, 1.0, 700))
    assert closed_form(abs(path[0]), 0.01, 1.0, 700)[1] == 625
    assert abs(path[624, 0]) < 0.5 < abs(path[625, 0])
    # the target is the height at 1/2
    target = problem.targets["train_loss"]
    assert values[624] > target > values[625]


def test_ten_times_nearer_takes_log_10_longer_and_half_the_curvature_twice_as_long():
    def escape(curvature, distance):
        problem = saddle(dim=1, negative_directions=1, curvature=curvature, distance=distance)
        with jax.enable_x64(True):
            path = descend(problem, 1.0, 3000)[0]
        return int(np.argmax(np.abs(path[:, 0]) > 0.5))

    assert abs(escape(0.01, 1e-4) - escape(0.01, 1e-3) - np.log(10) / np.log(1.01)) <= 1
    assert abs(escape(0.005, 1e-3) / escape(0.01, 1e-3) - 2) < 0.01


@pytest.mark.parametrize("rotated", [True, False], ids=["rotated", "aligned"])
def test_every_saddle_has_its_height_and_its_negative_directions(rotated):
    problem = saddle(dim=5, negative_directions=3, curvature=0.2, rotated=rotated)
    with jax.enable_x64(True):
        loss = lambda x: problem.loss(x, (), KEY)  # noqa: E731
        derivatives = jax.jit(lambda x: (loss(x), jax.grad(loss)(x), jax.hessian(loss)(x)))
        for signs in [(0, 0, 0), (1, 0, 0), (0, -1, 1), (0, 1, 0), (-1, 1, -1), (1, 1, 1)]:
            left = signs.count(0)
            x = jnp.asarray(frame(5, rotated) @ (*signs, 0, 0))
            value, gradient, hessian = derivatives(x)
            np.testing.assert_allclose(value, left * 0.2 / 4, atol=1e-15)
            np.testing.assert_allclose(gradient, 0, atol=1e-15)
            curvatures = [-0.2] * left + [0.2] * (3 - left) + [1, 1]
            np.testing.assert_allclose(np.linalg.eigvalsh(hessian), curvatures, atol=1e-12)


def test_the_slope_has_no_jump_where_the_wells_begin():
    problem = saddle(dim=1, negative_directions=1, curvature=0.4, rotated=False)
    with jax.enable_x64(True):
        below, above = (jax.value_and_grad(problem.loss)(jnp.array([n]), (), KEY) for n in (0.5, np.nextafter(0.5, 1)))
    np.testing.assert_allclose([below[0], above[0]], 0.4 / 8, rtol=1e-12)
    np.testing.assert_allclose([below[1][0], above[1][0]], -0.4 / 2, rtol=1e-12)


def test_below_the_target_no_direction_is_left():
    problem = saddle(dim=4, negative_directions=4, curvature=0.1, rotated=False)
    points = jax.random.uniform(KEY, (20000, 4), minval=-1.5, maxval=1.5)
    below = jax.jit(jax.vmap(lambda x: problem.loss(x, (), KEY)))(points) < problem.targets["train_loss"]
    assert below.sum() > 100
    assert jnp.abs(points[below]).min() > 0.5


def test_beside_is_at_the_distance_in_a_direction_from_the_key():
    problem = saddle(dim=8, distance=0.01)
    starts = jax.jit(jax.vmap(problem.init))(jax.random.split(KEY, 500))
    np.testing.assert_allclose(jnp.linalg.norm(starts, axis=1), 0.01, rtol=1e-5)
    # on a sphere in 8 dimensions, each coordinate has variance distance^2 / 8; 4000 draws know it to 3 %
    assert abs(starts.var() / (1e-4 / 8) - 1) < 0.1


def test_on_the_saddle_gradient_descent_stays_for_ever():
    problem = saddle(start="on", negative_directions=2, curvature=0.1)
    path, values = descend(problem, 1.0, 300)
    assert (path == 0).all()
    np.testing.assert_allclose(values, 2 * 0.1 / 4, rtol=1e-6)


def test_noise_takes_gradient_descent_off_the_saddle_as_the_recursion_says():
    """In the quadratic region n gains r xi a step and grows by 1 + r c, so its variance is a geometric sum."""
    sigma, rate, curvature, steps, batch_size = 0.01, 0.5, 0.2, 20, 4
    problem = saddle(dim=4, negative_directions=2, curvature=curvature, start="on", noise=sigma)

    def train(key):
        def step(x, key):
            batch = problem.sample(key, batch_size, 0)
            x = x - rate * jax.grad(problem.loss)(x, batch, key)
            return x, x

        return jax.lax.scan(step, problem.init(key), jax.random.split(key, steps))[1]

    paths = jax.jit(jax.vmap(train))(jax.random.split(KEY, 4000)) @ frame(4).astype(np.float32)
    assert np.abs(paths).max() < 0.5
    one, t = rate**2 * sigma**2 / batch_size, np.arange(1, steps + 1)
    for part, growth in [(paths[..., :2], 1 + rate * curvature), (paths[..., 2:], 1 - rate)]:
        expected = one * (growth ** (2 * t) - 1) / (growth**2 - 1)
        # 8000 normal draws: their variance is known to 1.6 %
        np.testing.assert_allclose((np.asarray(part) ** 2).mean((0, 2)), expected, rtol=0.08)


def test_momentum_escapes_where_gradient_descent_does_not():
    problem = saddle()

    def train(rate, momentum):
        def step(state, _):
            x, velocity = state
            velocity = momentum * velocity + jax.grad(problem.loss)(x, (), KEY)
            return (x - rate * velocity, velocity), None

        start = problem.init(KEY)
        return problem.loss(jax.lax.scan(step, (start, 0 * start), None, problem.steps)[0][0], (), KEY)

    # from a rate of 2 on the positive directions diverge
    with_momentum, *without = jax.jit(jax.vmap(train))(
        jnp.array([1.0, 0.5, 1.0, 1.99]), jnp.array([0.9, 0.0, 0.0, 0.0])
    )
    assert with_momentum < problem.targets["train_loss"] < min(without)
