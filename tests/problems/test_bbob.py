"""The BBOB functions are those of the reference implementation, and have gradients wherever a run goes."""

import cocoex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from optbench.problems.landscapes._bbob_functions import FUNCTIONS
from optbench.problems.landscapes._bbob_instance import instance
from optbench.problems.landscapes.bbob import KINKED, bbob

KEY = jax.random.key(0)
NUMBERS = range(1, 25)
INSTANCES = (1, 2, 3)
#: A program runs once here, so it isn't worth optimizing; 24 functions in one compile faster than apart.
ONCE = {"xla_backend_optimization_level": "0"}


@pytest.fixture(scope="module")
def suite():
    return cocoex.Suite("bbob", "", "")


@pytest.fixture(scope="module", params=[2, 5, 20], ids="dim{}".format)
def evaluated(request):
    """Evaluate all functions at 20 points of the box, 5 of a wider one, and x_opt: points and values by function."""
    dim, random = request.param, np.random.RandomState(request.param)
    drawn = [[instance(number, dim, index) for index in INSTANCES] for number in NUMBERS]
    points = [
        np.stack(
            [np.vstack([random.uniform(-5, 5, (20, dim)), random.uniform(-9, 9, (5, dim)), at.x_opt]) for at in row]
        )
        for row in drawn
    ]
    stacked = [jax.tree.map(lambda *leaves: np.stack(leaves), *row) for row in drawn]

    def values(points, stacked):
        return [
            jax.vmap(jax.vmap(lambda x, at, value=value: value(x, at) + at.f_opt, (0, None)))(x, at)
            for value, x, at in zip(FUNCTIONS, points, stacked, strict=True)
        ]

    with jax.enable_x64(True), jax.numpy_rank_promotion("raise"):
        return dim, points, drawn, [np.asarray(v) for v in jax.jit(values, compiler_options=ONCE)(points, stacked)]


@pytest.mark.parametrize("number", NUMBERS, ids="f{}".format)
def test_values_are_those_of_the_reference(evaluated, suite, number):
    dim, points, drawn, values = evaluated
    for x, at, value, index in zip(points[number - 1], drawn[number - 1], values[number - 1], INSTANCES, strict=True):
        reference = suite.get_problem_by_function_dimension_instance(number, dim, index)
        expected = np.array([reference(point) for point in x])
        # Where f_opt and what lies above it nearly cancel, the larger of the two carries the rounding.
        assert np.all(abs(value - expected) <= 1e-10 * np.fmax(abs(expected), abs(at.f_opt)))
        assert abs(value[-1] - at.f_opt) <= 1e-12 * max(1, abs(at.f_opt))
        assert np.all(value >= at.f_opt - 1e-12 * abs(at.f_opt))


@pytest.mark.parametrize("number", NUMBERS, ids="f{}".format)
def test_the_optimum_is_the_references(suite, number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the reference writes its best parameters to a file here
    reference = suite.get_problem_by_function_dimension_instance(number, 5, 4)
    reference._best_parameter("print")
    best = np.loadtxt("._bbob_problem_best_parameter.txt")
    at = instance(number, 5, 4)
    np.testing.assert_allclose(at.x_opt, best, rtol=1e-8)
    np.testing.assert_allclose(at.f_opt, reference(best), rtol=1e-12, atol=1e-12)


@pytest.fixture(scope="module", params=[False, True], ids=["float32", "float64"])
def differentiated(request):
    """Differentiate all losses in 3 dimensions near x_opt, far out and between: points, then values and gradients.

    The last three points have a coordinate that is NaN.
    """
    problems = [bbob(number, dim=3, instance=5) for number in NUMBERS]
    random = np.random.RandomState(0)
    away = np.vstack(
        [
            np.zeros((1, 3)),
            np.eye(3) * 1e-3,
            *(size * random.standard_normal((50, 3)) for size in (1e-45, 1e-38, 1e-20, 1e-10, 1e-5, 1e-3, 1e-1)),
        ]
    )
    fixed = np.array([[0, 0, 0], [5, 5, 5], [-5, -5, -5], [0, 5, -5], [1, 0, 0], [20, -30, 10]])
    points = [
        np.vstack([instance(number, 3, 5).x_opt + away, fixed, random.uniform(-5, 5, (20, 3)), np.eye(3) * np.nan])
        for number in NUMBERS
    ]

    def all_of(points):
        return [
            jax.vmap(jax.value_and_grad(lambda x, problem=problem: problem.loss(x, (), KEY)))(x)
            for problem, x in zip(problems, points, strict=True)
        ]

    with jax.enable_x64(request.param), jax.numpy_rank_promotion("raise"):
        results = jax.jit(all_of, compiler_options=ONCE)([jnp.asarray(x, float) for x in points])
    return points, jax.tree.map(np.asarray, results)


@pytest.mark.parametrize("number", NUMBERS, ids="f{}".format)
def test_gradients_are_finite_where_a_run_may_go(differentiated, number):
    values, gradients = differentiated[1][number - 1]
    assert np.isfinite(values[:-3]).all() and np.isfinite(gradients[:-3]).all()
    assert np.isnan(values[-3:]).all()


@pytest.mark.parametrize("number", NUMBERS, ids="f{}".format)
def test_nothing_is_below_the_optimum_by_more_than_rounding(differentiated, number):
    values, optimum = differentiated[1][number - 1][0], bbob(number, dim=3, instance=5).optimum()
    assert optimum is not None
    # a tenth of what a run is allowed
    assert np.min(values[:-3]) >= optimum - 10 * jnp.finfo(values.dtype).eps * abs(optimum)


@pytest.mark.parametrize("number", NUMBERS, ids="f{}".format)
def test_problems_have_the_values_of_the_reference(differentiated, suite, number):
    values = differentiated[1][number - 1][0][-23:-3]
    reference = suite.get_problem_by_function_dimension_instance(number, 3, 5)
    expected = np.array([reference(x) for x in differentiated[0][number - 1][-23:-3]])
    tolerance = 1e-10 if values.dtype == np.float64 else 2e-2
    np.testing.assert_allclose(values, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("number", [number for number in NUMBERS if number not in KINKED], ids="f{}".format)
def test_gradients_vanish_at_the_optimum_where_there_is_no_kink(differentiated, number):
    gradients = differentiated[1][number - 1][1]
    # float32 doesn't hold the optimum itself, and curvatures go up to 1e6
    assert np.linalg.norm(gradients[0]) < (1e-6 if gradients.dtype == np.float64 else 5)
    assert bbob(number).minimiser is not None


def test_the_step_ellipsoid_is_flat_within_its_box():
    problem = bbob(7, dim=4)
    points = np.random.RandomState(0).uniform(-4, 4, (30, 4)) + np.append(np.zeros(29), 9)[:, None]
    slopes = jax.jit(jax.vmap(jax.grad(lambda x: problem.loss(x, (), KEY))), compiler_options=ONCE)(points)
    assert np.all(slopes[:29] == 0) and np.all(slopes[29] != 0)


def test_the_sphere_counts_from_the_published_offset():
    problem = bbob(1, dim=2)
    assert problem.optimum() == 79.48
    with jax.enable_x64(True):
        np.testing.assert_allclose(instance(1, 2, 1).x_opt, [0.2528, -1.1568], rtol=1e-12)
        np.testing.assert_allclose(problem.loss(jnp.array([3.2528, 2.8432]), (), KEY), 79.48 + 25, rtol=1e-12)


@pytest.mark.parametrize("dim", [2, 7, 70])
def test_rotations_are_orthogonal_in_any_dimension(dim):
    at = instance(10, dim, 1234)
    for rotation in (at.R, at.Q):
        np.testing.assert_allclose(rotation.T @ rotation, np.eye(dim), atol=1e-12)
    assert abs(at.R - at.Q).max() > 0.1


@pytest.mark.parametrize("number", [8, 9, 19])
def test_valleys_end_at_the_optimum_beyond_the_dimensions_of_the_suite(number):
    problem, at = bbob(number, dim=100), instance(number, 100, 1)
    with jax.enable_x64(True):
        np.testing.assert_allclose(problem.loss(jnp.asarray(at.x_opt), (), KEY), at.f_opt, rtol=1e-12)


def test_starts_fill_the_box():
    starts = jax.vmap(bbob(1, dim=3).init)(jax.random.split(KEY, 2000))
    assert starts.min() >= -4 and starts.max() <= 4
    # the mean of 6000 uniform draws has a standard deviation of 8 / sqrt(12 * 6000) = 0.03
    assert abs(starts.mean()) < 0.15 and abs(starts.var() - 16 / 3) < 0.3
