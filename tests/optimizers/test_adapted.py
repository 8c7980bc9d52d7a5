"""A user's optimizer is scheduled, decayed, fed and evaluated as one of optbench's own is."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

from optbench.optimizers import Optimizer, catalogue, decoupled
from optbench.optimizers.adapted import adapted

PARAMS = {"w": np.array([1.0, -2.0], np.float32), "b": np.float32(3.0)}
RATES = (0.4, 0.3, 0.2, 0.1)
DECAY = 0.5


def loss(params):
    """Return a bowl with its bottom at (2, 2), 1: no gradient is zero at the start."""
    return (jnp.sum((params["w"] - 2.0) ** 2) + (params["b"] - 1.0) ** 2) / 2


def entry(make, **fields):
    native = "weight_decay" in make.__code__.co_varnames
    fields = {"decay": "native"} | fields if native else fields
    return Optimizer(make, (1e-3, 1.0), source="a test", adapts=True, **fields)


def resolved(optimizer, decayed=False, scheduled=True):
    shapes = jax.tree.map(lambda p: jax.ShapeDtypeStruct(p.shape, p.dtype), PARAMS)
    traced = ["learning_rate", "weight_decay"] if decayed else ["learning_rate"]
    return adapted(optimizer, shapes, {}, traced, scheduled)


def train(optimizer, rates=RATES, decay=0.0):
    """Return the parameters after steps at some rates, and those to evaluate."""
    optimizer = resolved(optimizer, bool(decay), len(set(rates)) > 1)
    build = decoupled(optimizer)
    params = jax.tree.map(jnp.asarray, PARAMS)
    state = build(rates[0], decay).init(params)
    for rate in rates:
        value, gradients = jax.value_and_grad(loss)(params)
        extra = {"value": value, "grad": gradients, "value_fn": lambda p, **_: loss(p), "obj_fn": loss}
        extra["grad_fn"] = lambda p, _: jax.grad(loss)(p)
        updates, state = build(rate, decay).update(gradients, state, params, **extra)
        params = optax.apply_updates(params, updates)
    averaged = optimizer.evaluation_params
    return params, params if averaged is None else averaged(state, params)


def assert_same(ours, theirs):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-7), ours, theirs)


def sgd(learning_rate):
    return optax.sgd(learning_rate)


def injected(learning_rate):
    return optax.inject_hyperparams(optax.sgd)(learning_rate=learning_rate)


def in_dictionary(learning_rate):
    def update(gradients, state, params=None):
        return jax.tree.map(lambda g: -state["rates"][1] * g * 2, gradients), state

    return optax.GradientTransformation(lambda params: {"rates": (1, learning_rate / 2)}, update)


#: Plain gradient descent, each with its rate in the state, somewhere.
IN_STATE = {
    "injected": injected,
    "injected schedule": lambda learning_rate: optax.inject_hyperparams(optax.sgd)(lambda count: learning_rate),
    "in a chain": lambda learning_rate: optax.chain(optax.clip(1e9), injected(learning_rate)),
    "masked": lambda learning_rate: optax.masked(injected(learning_rate), {"w": True, "b": True}),
    "a group each": lambda learning_rate: optax.multi_transform(
        {name: injected(learning_rate) for name in "wb"}, {"w": "w", "b": "b"}
    ),
    "only if finite": lambda learning_rate: optax.apply_if_finite(injected(learning_rate), 3),
    "accumulated once": lambda learning_rate: optax.MultiSteps(injected(learning_rate), 1).gradient_transformation(),
    "in a dictionary": in_dictionary,
}


@pytest.mark.parametrize("make", IN_STATE.values(), ids=IN_STATE)
def test_a_schedule_reaches_a_rate_in_the_state(make):
    assert_same(train(entry(make)), train(entry(sgd)))


def halving(learning_rate):
    def update(gradients, rate, params=None):
        return jax.tree.map(lambda g: -rate * g, gradients), rate / 2

    return optax.GradientTransformation(lambda params: jnp.asarray(learning_rate), update)


@pytest.mark.parametrize("make", [halving, lambda learning_rate: optax.rprop(learning_rate)])
def test_a_rate_that_changes_in_the_state_takes_no_schedule(make):
    with pytest.raises(ValueError, match=r"the learning rate lies in the optimizer's state .* --schedule constant"):
        train(entry(make))
    train(entry(make), rates=(0.1, 0.1))


def test_a_rate_that_the_optimizer_halves_is_as_it_says_without_a_schedule():
    assert_same(train(entry(halving), rates=(0.4, 0.4)), train(entry(sgd), rates=(0.4, 0.2)))


def own_decay(learning_rate, weight_decay=0.3):
    return optax.adamw(learning_rate, weight_decay=weight_decay)


@pytest.mark.parametrize("decay", [0.0, DECAY])
def test_a_decay_that_is_asked_for_is_the_only_one(decay):
    assert_same(train(entry(own_decay), decay=decay), train(catalogue()["adamw"], decay=decay))


def leaving_decay_aside(learning_rate, weight_decay):
    return optax.adam(learning_rate)


def test_a_decay_that_is_taken_and_left_aside_is_refused():
    with pytest.raises(ValueError, match="weight_decay is a parameter that makes no difference"):
        train(entry(leaving_decay_aside), decay=DECAY)


#: Optimizers of optbench's own as a user would write them.
COPIES = {
    "schedule_free_sgd": lambda learning_rate: optax.contrib.schedule_free_sgd(learning_rate),
    "schedule_free_adamw": lambda learning_rate: optax.chain(
        optax.clip(1e9), optax.contrib.schedule_free_adamw(learning_rate)
    ),
    "prodigy": lambda learning_rate: optax.contrib.prodigy(learning_rate),
    "dog": lambda learning_rate: optax.contrib.dog(learning_rate),
    "cocob": lambda learning_rate: optax.contrib.cocob(learning_rate),
    "polyak_sgd": lambda learning_rate: optax.polyak_sgd(learning_rate, variant="sps+"),
    "sam": lambda learning_rate: optax.chain(
        optax.contrib.sam(
            optax.sgd(learning_rate, 0.9),
            optax.chain(optax.normalize_by_update_norm(eps=1e-12), optax.sgd(0.05)),
            opaque_mode=True,
        )
    ),
}


@pytest.mark.parametrize("decay", [0.0, DECAY])
@pytest.mark.parametrize("name", COPIES)
def test_a_copy_ends_where_the_original_does(name, decay):
    """Its decay, its arguments and the parameters that are evaluated follow from its state and its update."""
    assert_same(train(entry(COPIES[name]), decay=decay), train(catalogue()[name], decay=decay))


@pytest.mark.parametrize("every", [optax.apply_every(2), None], ids=["apply_every", "MultiSteps"])
def test_steps_that_accumulate_do_not_decay(every):
    """Two updates in four steps, by hand: x loses rate * (gradient + decay * x) at the second and the fourth."""

    def make(learning_rate):
        if every is None:
            return optax.MultiSteps(optax.chain(optax.clip(1e9), optax.sgd(learning_rate)), 2).gradient_transformation()
        return optax.chain(optax.scale(0.5), every, optax.sgd(learning_rate))

    x = 3.0
    for _ in range(2):
        x -= 0.1 * ((x - 1.0) + DECAY * x)
    assert train(entry(make), rates=(0.1,) * 4, decay=DECAY)[0]["b"] == pytest.approx(x, rel=1e-6)


def test_an_accumulating_step_decays_nothing_where_one_gradient_is_zero():
    """The bottom of the bowl in b: its gradient and its update are zero at the first step."""
    params = {"w": jnp.asarray(PARAMS["w"]), "b": jnp.float32(1.0)}
    make = lambda learning_rate: optax.MultiSteps(optax.sgd(learning_rate), 2).gradient_transformation()  # noqa: E731
    transformation = decoupled(resolved(entry(make), decayed=True))(0.1, DECAY)
    updates, _ = transformation.update(jax.grad(loss)(params), transformation.init(params), params)
    assert float(updates["b"]) == 0.0


#: What keeps b where it is.
FROZEN = {
    "by a group": lambda learning_rate: optax.multi_transform(
        {"moves": optax.sgd(learning_rate), "stays": optax.set_to_zero()}, {"w": "moves", "b": "stays"}
    ),
    "by a mask": lambda learning_rate: optax.chain(
        optax.adam(learning_rate), optax.masked(optax.set_to_zero(), {"w": False, "b": True})
    ),
    "by freeze": lambda learning_rate: optax.chain(
        optax.sgd(learning_rate), optax.transforms.freeze({"w": False, "b": True})
    ),
    "by a mask of schedule-free": lambda learning_rate: optax.multi_transform(
        {"moves": optax.contrib.schedule_free_sgd(learning_rate), "stays": optax.set_to_zero()},
        {"w": "moves", "b": "stays"},
    ),
}


@pytest.mark.parametrize("make", FROZEN.values(), ids=FROZEN)
def test_a_frozen_parameter_stays(make):
    params, evaluated = train(entry(make), decay=DECAY)
    assert float(params["b"]) == float(evaluated["b"]) == 3.0
    unlike = train(entry(make))
    assert not np.allclose(params["w"], unlike[0]["w"])


def test_a_parameter_at_rest_decays_as_under_plain_sgd():
    """A zero gradient is no reason to keep a parameter from decaying."""
    flat = lambda p: jnp.sum(p["w"] ** 2) + 0.0 * p["b"]  # noqa: E731
    transformation = decoupled(resolved(entry(sgd), decayed=True))(0.1, DECAY)
    params = jax.tree.map(jnp.asarray, PARAMS)
    updates, _ = transformation.update(jax.grad(flat)(params), transformation.init(params), params)
    assert float(updates["b"]) == pytest.approx(-0.1 * DECAY * 3.0)


#: What each wants of the loss, and how many gradients a step then takes.
WANTS = {
    "plateau": lambda learning_rate: optax.chain(optax.sgd(learning_rate), optax.contrib.reduce_on_plateau(patience=3)),
    "backtracking": lambda learning_rate: optax.chain(
        optax.sgd(learning_rate), optax.scale_by_backtracking_linesearch(5)
    ),
    "lbfgs": lambda learning_rate: optax.lbfgs(learning_rate),
    "in a group": lambda learning_rate: optax.masked(optax.polyak_sgd(learning_rate), {"w": True, "b": True}),
}


@pytest.mark.parametrize("make", WANTS.values(), ids=WANTS)
def test_what_an_update_declares_is_handed_to_it(make):
    params, _ = train(entry(make), rates=(0.1,) * 3)
    assert float(loss(params)) < float(loss(PARAMS))


def test_gradients_within_a_step_are_counted():
    assert resolved(entry(COPIES["sam"])).gradient_evaluations(None) == 2
    optimizer = resolved(entry(WANTS["lbfgs"]))
    params = jax.tree.map(jnp.asarray, PARAMS)
    transformation = optimizer.build(1.0)
    extra = {"value": loss(params), "grad": jax.grad(loss)(params), "value_fn": lambda p, **_: loss(p)}
    _, state = transformation.update(extra["grad"], transformation.init(params), params, **extra)
    assert int(optimizer.gradient_evaluations(state)) == 1 + int(state[-1].info.num_linesearch_steps) > 1


def drifting(learning_rate):
    def update(gradients, state, params=None):
        return jax.tree.map(lambda g: -learning_rate * g, gradients), {"count": 0.9 * state["count"] + 1}

    return optax.GradientTransformation(lambda params: {"count": jnp.zeros([], jnp.int32)}, update)


def growing(learning_rate):
    def update(gradients, state, params=None):
        return gradients, {"count": 1, "last": gradients}

    return optax.GradientTransformation(lambda params: {"count": 1, "last": None}, update)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (drifting, r"the type of state\['count'\]: int32\[\] at the start, float32\[\] after it"),
        (growing, r"the structure of its state: state\['last'\]\['b'\] is new"),
    ],
)
def test_a_state_that_changes_its_type_names_the_component(make, message):
    with pytest.raises(TypeError, match=message):
        train(entry(make))
