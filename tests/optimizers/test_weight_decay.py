"""Hold decoupled weight decay to x <- x - learning_rate * weight_decay * x, whatever the optimizer does."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from optbench.optimizers import Optimizer, catalogue, decoupled, weight_decay

ENTRIES = catalogue()
RATE, DECAY, STEPS = 0.5, 0.2, 4
#: What doesn't stand still where the gradient is zero, and why.
MOVING = {
    "dadapt_adamw": "divides zero by zero",
    "dpsgd": "adds noise",
    "fromage": "shrinks parameters by itself",
    "noisy_sgd": "adds noise",
    "prodigy": "divides zero by zero",
    "yogi": "its averages start above zero",
}
#: What the rate is multiplied by where the gradient is zero, of those that estimate a step, and settings to see it by:
#: DoG's first distance, 1e-6 (1 + |x|) with |x|^2 = 91, over the root of its eps; DoWG's over itself; Mechanic's scale.
OWN_STEPS = {"dog": (1e-2 * (1 + 91**0.5), {}), "dowg": (1.0, {}), "mechanize": (0.5, {"s_init": 0.5})}
#: The scale of all others.
SAME_STEP = Optimizer.__dataclass_fields__["step_scale"].default
SCALED = {"dadapt_adamw", "prodigy", *OWN_STEPS}


def flat_loss(params, _):
    """Return zero everywhere, and so a zero gradient."""
    return sum(jnp.sum(0.0 * leaf) for leaf in jax.tree.leaves(params))


PARAMS = {"vector": np.array([1, -2], np.float32), "matrix": np.array([[3, 4], [5, -6]], np.float32)}


@pytest.fixture
def decay_on_flat_ground(train, compiled):
    """Compile a run where the gradient is zero: decay_on_flat_ground(optimizer) -> (weight decay -> Outcome)."""

    def build(optimizer, **hyperparameters):
        def run(weight_decay):
            args = decoupled(optimizer), params, jnp.zeros((2, 1)), flat_loss, jnp.float32(RATE), STEPS
            return train(optimizer, *args, weight_decay=weight_decay, **hyperparameters)

        params = jax.tree.map(jnp.asarray, PARAMS)
        once = compiled(run)
        return lambda weight_decay: once(jnp.float32(weight_decay))

    return build


@pytest.mark.parametrize("name", [name for name, optimizer in ENTRIES.items() if optimizer.decay != "native"])
def test_shrinks_by_the_rate_where_the_optimizer_stands_still(name, decay_on_flat_ground):
    optimizer = ENTRIES[name]
    run = decay_on_flat_ground(optimizer)
    assert bool(run(0.0).scale < 1e-6) == (name not in MOVING)
    if name in MOVING:
        return
    step, settings = OWN_STEPS.get(name, (1.0, {}))
    left = (1 - RATE * step * DECAY) ** STEPS
    after = (decay_on_flat_ground(optimizer, **settings) if settings else run)(DECAY).params
    jax.tree.map(lambda after, before: np.testing.assert_allclose(after, left * before, rtol=1e-5), after, PARAMS)


def test_those_that_estimate_a_step_decay_by_it():
    none = optax.EmptyState()
    assert {name for name, entry in ENTRIES.items() if entry.step_scale is not SAME_STEP} == SCALED
    assert SAME_STEP(none) == 1


@pytest.mark.parametrize("name", ENTRIES)
def test_what_holds_the_initial_parameters_is_anchored_or_decays_natively(name):
    params = jnp.array([1.5, -2.25])
    leaves = jax.tree.leaves(ENTRIES[name].build(0.1).init(params))
    holds = any(leaf.shape == params.shape and bool((leaf == params).all()) for leaf in map(jnp.asarray, leaves))
    assert holds == (ENTRIES[name].decay == "anchored" or name.startswith("schedule_free"))


def follow(optimizer, params, gradients, weight_decay):
    """Return parameters and states after each of the steps that take the same gradients whatever the parameters are."""
    transformation = decoupled(optimizer)(jnp.float32(RATE), weight_decay)

    def step(carry, gradient):
        updates, state = transformation.update(gradient, carry[1], carry[0])
        after = optax.apply_updates(carry[0], updates), state
        return after, after

    return jax.lax.scan(step, (params, transformation.init(params)), gradients)[1]


@pytest.mark.parametrize(
    "name", [name for name, optimizer in ENTRIES.items() if optimizer.decay == "anchored" or name in SCALED]
)
def test_decay_is_no_progress(name, compiled):
    """The same gradients lead to the same estimates and steps, and beside them x loses rate * step * decay * x."""
    optimizer = ENTRIES[name]
    params = jnp.array([1.0, -2.0])
    gradients = jnp.array([[0.5, -1.0], [0.4, 0.3], [-0.2, 0.6], [0.7, 0.1]])

    beside, anchored = (replace(optimizer, decay=decay, step_scale=SAME_STEP) for decay in ("wrapped", "anchored"))

    def run(weight_decay):
        return [follow(entry, params, gradients, weight_decay) for entry in (optimizer, anchored, beside)]

    trained = compiled(run)
    (decayed, states), (there, there_states), (here, here_states) = trained(jnp.float32(DECAY))
    undecayed, plain_states = trained(jnp.float32(0.0))[2]
    inner = states.inner if optimizer.decay == "anchored" else states
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-8), inner, plain_states)
    scales = jnp.broadcast_to(jax.vmap(optimizer.step_scale)(plain_states), len(gradients))
    x, own = np.array(params), np.array(params)
    for after, scale in zip(undecayed, scales, strict=True):
        x, own = x + (after - own) - RATE * scale * DECAY * x, after
    np.testing.assert_allclose(decayed[-1], x, rtol=1e-5)
    # Without an anchor the decay would be undone, or change the estimates.
    pairs = zip(jax.tree.leaves((there, there_states.inner)), jax.tree.leaves((here, here_states)), strict=True)
    assert all(np.allclose(a, b, rtol=1e-3, atol=0) for a, b in pairs) == (optimizer.decay != "anchored")


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, optimizer in ENTRIES.items()
        if optimizer.decay == "native" and optimizer.evaluation_params is None
    ],
)
def test_native_decay_means_the_same_as_wrapped(name, make_network, network_loss, train, compiled):
    params, batch = make_network(jnp.float32)
    rate = jnp.float32(ENTRIES[name].learning_rates[1])

    def run(decay, weight_decay):
        optimizer = replace(ENTRIES[name], decay=decay)
        return train(optimizer, decoupled(optimizer), params, batch, network_loss, rate, 5, weight_decay=weight_decay)

    native, wrapped, undecayed = compiled(lambda: (run("native", 5.0), run("wrapped", 5.0), run("native", 0.0)))()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), native.params, wrapped.params)
    differences = jax.tree.map(lambda a, b: np.abs(a - b).max(), native.params, undecayed.params)
    assert min(jax.tree.leaves(differences)) > 1e-4


def test_wrapped_decay_of_one_step_by_hand():
    # x = 2, gradient 3, rate 0.1, decay 0.5: 2 - 0.1 * 3 - 0.1 * 0.5 * 2
    transformation = decoupled(ENTRIES["sgd"])(0.1, 0.5)
    params = jnp.array([2.0])
    updates, _ = transformation.update(jnp.array([3.0]), transformation.init(params), params)
    np.testing.assert_allclose(optax.apply_updates(params, updates), [1.6], rtol=1e-6)


@pytest.mark.parametrize("name", ["sgd", "adamw", "dog"])
def test_what_is_built_without_a_decay_has_none(name):
    """Beside the update, by its own decay, and where it holds the parameters without decay."""
    params, gradient = jnp.array([2.0, -1.0]), jnp.array([3.0, 0.5])
    steps = []
    for given in ({}, {"weight_decay": 0.0}, {"weight_decay": 0.5}):
        transformation = decoupled(ENTRIES[name])(0.1, **given)
        steps.append(transformation.update(gradient, transformation.init(params), params)[0].tolist())
    assert steps[0] == steps[1] != steps[2]


@pytest.mark.parametrize("name", ["schedule_free_adamw", "schedule_free_sgd"])
def test_schedule_free_decays_z_at_y(name):
    # First step: z = y = x = 2 and no gradient, so z <- 2 - 0.1 * 0.5 * 2, and x, its average, equals z.
    optimizer = ENTRIES[name]
    transformation = decoupled(optimizer)(0.1, 0.5)
    params = jnp.array([2.0])
    updates, state = transformation.update(jnp.array([0.0]), transformation.init(params), params)
    params = optax.apply_updates(params, updates)
    np.testing.assert_allclose(state.z, [1.9], rtol=1e-6)
    np.testing.assert_allclose(optimizer.evaluation_params(state, params), [1.9], rtol=1e-6)


def test_updates_see_only_what_the_entry_needs():
    seen = {}

    def build(learning_rate):
        def update(updates, state, params=None, **extra_args):
            seen.update(extra_args)
            return updates, state

        return optax.GradientTransformationExtraArgs(lambda params: (), update)

    optimizer = replace(ENTRIES["sgd"], build=build, needs=frozenset({"value"}))
    decoupled(optimizer)(0.1).update(jnp.zeros(1), (), jnp.zeros(1), value=1.0, obj_fn=None)
    assert seen == {"value": 1.0}


@pytest.mark.parametrize(
    ("gradients", "updates", "frozen", "moved"),
    [
        # What has an update is moved, and what has none although it has a gradient is not.
        ([1, 1], [1, 0], set(), [True, False]),
        # At rest, beside one that moves, and where all are.
        *(([1, 0], [1, 0], set(), [True, True]), ([0, 0], [0, 0], set(), [True, True])),
        # A step that accumulates moves none, not even one that has no gradient in it.
        *(([1, 1], [0, 0], set(), [False, False]), ([1, 0], [0, 0], set(), [False, False])),
        # What is frozen is so whatever its gradient is.
        *(([1, 1], [1, 1], {0}, [False, True]), ([0, 0], [0, 0], {1}, [True, False])),
        # An update without a gradient, of momentum.
        ([0, 1], [1, 1], set(), [True, True]),
    ],
    ids=str,
)
def test_what_a_step_moves(gradients, updates, frozen, moved):
    """Of each leaf one element tells."""
    leaves = [[jnp.array([0.0, float(value)]) for value in values] for values in (gradients, updates)]
    assert [bool(one) for one in weight_decay._moves(*leaves, frozenset(frozen))] == moved
