"""Reverse KL is what a fine grid makes of it, and modes are counted right."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from optbench.problems.networks.mixture import mass_by_mode, mixture

KEY = jax.random.key(0)


def measure(problem, params):
    return jax.jit(problem.metrics)(params, ())


def mixture_of(means, weights=None, scales=None):
    means = np.array(means, float)
    weights = np.ones(len(means)) if weights is None else np.array(weights)
    scales = np.ones(len(means)) if scales is None else np.array(scales)
    return {"logit": jnp.log(weights), "mean": jnp.asarray(means), "log_scale": jnp.log(scales)}


def log_density(params, x):
    q = {name: np.asarray(value) for name, value in params.items()}
    weights = q["logit"] - logsumexp(q["logit"])
    return logsumexp(weights + norm.logpdf(x[:, None], q["mean"], np.exp(q["log_scale"])), axis=1)


@pytest.mark.parametrize(
    ("means", "modes_covered", "divergence"),
    [
        ([-80, -40, 0, 40, 80], 5, 0.0),
        ([-80, -40, 0, 40, 40], 4, 2 / 5 * np.log(2)),
        ([-80, -80, -80, -80, -80], 1, np.log(5)),
        ([0, 0, 0, 40, 40], 2, np.log(5) - (3 / 5 * np.log(5 / 3) + 2 / 5 * np.log(5 / 2))),
        ([-1, 0, 1, 0.5, -80], 2, None),
    ],
)
def test_modes_and_divergence_by_hand(means, modes_covered, divergence):
    with jax.enable_x64(True):
        metrics = measure(mixture(separation=40.0), mixture_of(means))
        assert metrics["modes_covered"] == modes_covered
        if divergence is not None:
            np.testing.assert_allclose(metrics["loss"], divergence, atol=1e-9)


def test_a_mode_is_covered_from_half_of_its_weight_on():
    problem = mixture(separation=40.0, modes=2, components=2)
    covered = [
        measure(problem, mixture_of([-20, 20], weights=[share, 1 - share]))["modes_covered"]
        for share in (0.24, 0.26, 0.74, 0.76)
    ]
    assert covered == [1, 2, 2, 1]


@pytest.mark.parametrize("seed", range(4))
def test_the_divergence_is_that_of_a_fine_grid(seed):
    random = np.random.RandomState(seed)
    q = mixture_of(8 * random.standard_normal(5), random.uniform(0.1, 1, 5), np.exp(0.5 * random.standard_normal(5)))
    with jax.enable_x64(True):
        problem = mixture(separation=4.0)
        x = np.linspace(-80, 80, 160_001)
        log_q, log_p = log_density(q, x), log_density(problem.minimiser(), x)
        expected = np.sum(np.exp(log_q) * (log_q - log_p)) * (x[1] - x[0])
        np.testing.assert_allclose(measure(problem, q)["loss"], expected, rtol=1e-6)


def test_no_mixture_has_a_negative_divergence_near_or_far():
    with jax.enable_x64(True):
        for components in (5, 7):
            problem = mixture(components=components)
            loss = jax.jit(jax.vmap(lambda params, problem=problem: problem.metrics(params, ())["loss"]))
            best = {name: np.asarray(leaf) for name, leaf in problem.minimiser().items()}
            random = np.random.RandomState(0)
            for spread in (1e-6, 1e-3, 0.1, 1.0, 3.0):
                noise = {name: spread * random.standard_normal((100, components)) for name in best}
                assert loss({name: leaf + noise[name] for name, leaf in best.items()}).min() > -1e-12


def test_samples_move_along_each_component_and_average_to_the_metric():
    problem = mixture(separation=3.0)
    params = mixture_of([-5, -2, 0, 3, 5], [0.1, 0.3, 0.2, 0.3, 0.1], [0.5, 1, 2, 1, 1])
    batches = problem.sample(KEY, 100_000, jnp.zeros((), int)).reshape(100, 1000, 5)
    losses = jax.lax.map(lambda batch: problem.loss(params, batch, KEY), batches)
    assert abs(losses.mean() - measure(problem, params)["loss"]) < 4 * losses.std() / 10


def test_the_mass_between_halfway_points_is_that_of_the_normal_distribution():
    params = mixture_of([-3.0, 1.0], [0.25, 0.75], [1.0, 2.0])
    halfway = np.array([-2.0, 2.0])
    below = [0.25 * norm.cdf(x, -3, 1) + 0.75 * norm.cdf(x, 1, 2) for x in halfway]
    expected = [below[0], below[1] - below[0], 1 - below[1]]
    np.testing.assert_allclose(mass_by_mode(params, halfway), expected, rtol=1e-5)


def test_more_components_than_modes_share_them_and_fewer_leave_the_optimum_unknown():
    more, fewer = mixture(modes=3, components=4), mixture(modes=3, components=2)
    metrics = measure(more, jax.tree.map(jnp.asarray, more.minimiser()))
    assert more.optimum() == 0 and abs(metrics["loss"]) < 1e-6 and metrics["modes_covered"] == 3
    assert fewer.optimum() is None and fewer.minimiser is None
    # two components on two modes of three leave log(3/2)
    assert fewer.targets == {"train_loss": pytest.approx(np.log(1.5) + 0.1)}
