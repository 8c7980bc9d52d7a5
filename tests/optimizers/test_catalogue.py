"""Hold every entry to the contract."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

from optbench import optimizers
from optbench.optimizers import NEEDS, Optimizer, catalogue, decoupled
from optbench.optimizers.exclusions import EXCLUSIONS, public_optimizers

ENTRIES = catalogue()
every_entry = pytest.mark.parametrize("name", ENTRIES)


def floats(optimizer):
    """Return the hyperparameters that are traced over a grid."""
    return {name: value for name, value in optimizer.hyperparameters.items() if isinstance(value, float)}


def test_every_public_optimizer_of_optax_is_registered_or_excluded():
    missing = {path for path in public_optimizers() if path.split(".")[-1] not in ENTRIES}
    assert missing == EXCLUSIONS.keys()


def test_walk_finds_optimizers_by_their_signature(monkeypatch):
    def brand_new(learning_rate) -> optax.GradientTransformation: ...
    def unannotated(max_learning_rate): ...
    def wrapper(base_optimizer) -> optax.GradientTransformationExtraArgs: ...
    def schedule(learning_rate) -> optax.Schedule: ...
    def scale_by_part(learning_rate) -> optax.GradientTransformation: ...

    before = public_optimizers()
    for function in (brand_new, unannotated, wrapper, schedule, scale_by_part):
        monkeypatch.setattr(optax, function.__name__, function, raising=False)
    assert public_optimizers() - before == {"optax.brand_new", "optax.unannotated", "optax.wrapper"}


def test_catalogue_is_sorted_and_refuses_a_name_given_twice():
    assert list(ENTRIES) == sorted(ENTRIES)
    table = {"sgd": ENTRIES["sgd"]}
    with pytest.raises(ValueError, match="twice: sgd"):
        optimizers.merge([table, table])


@every_entry
def test_entry_is_complete(name):
    optimizer = ENTRIES[name]
    low, high = optimizer.learning_rates
    assert 0 < low < high
    assert high / low >= 10  # less would be a lottery of near copies
    assert optimizer.default_learning_rate is not None
    assert low <= optimizer.default_learning_rate <= high
    assert optimizer.optimum_parameter in {None, *optimizer.hyperparameters}
    assert re.search(r"\b(19|20)\d\d; \S", optimizer.source)
    assert optimizer.needs <= NEEDS
    assert all(isinstance(value, bool | int | float | str | None) for value in optimizer.hyperparameters.values())
    # Only `weight_decay`, which `decoupled` owns, may decay the parameters.
    assert not {key for key in optimizer.hyperparameters if "weight_decay" in key}
    if optimizer.decay == "anchored":  # the state these two would see is not the entry's own
        fields = Optimizer.__dataclass_fields__
        assert optimizer.evaluation_params is None
        assert optimizer.gradient_evaluations is fields["gradient_evaluations"].default


@every_entry
def test_trains_over_a_batch_of_traced_points(name, make_network, network_loss, train, compiled):
    optimizer = ENTRIES[name]
    params, batch = make_network(jnp.float32)
    low, high = optimizer.learning_rates
    points = {key: jnp.full(2, value, jnp.float32) for key, value in floats(optimizer).items()}
    points["learning_rate"] = jnp.array([low, (low * high) ** 0.5], jnp.float32)
    points["weight_decay"] = jnp.array([0.0, 0.1], jnp.float32)

    def run(point):
        return train(optimizer, decoupled(optimizer), params, batch, network_loss, steps=3, **point)

    outcome = compiled(jax.vmap(run))(points)
    for before, after in zip(jax.tree.leaves(params), jax.tree.leaves(outcome.params), strict=True):
        assert after.dtype == jnp.float32
        assert np.isfinite(after).all()
        assert (np.asarray(after) != np.asarray(before)).any(axis=tuple(range(1, after.ndim))).all()


@every_entry
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_keeps_dtypes_where_float64_is_enabled(name, dtype, make_network, network_loss, train):
    optimizer = ENTRIES[name]
    with jax.enable_x64(True):
        scalar = jax.ShapeDtypeStruct((), dtype)
        params, batch = jax.eval_shape(lambda: make_network(dtype))
        outcome = jax.eval_shape(
            lambda params, batch, rate: train(
                optimizer, decoupled(optimizer), params, batch, network_loss, rate, steps=1, weight_decay=rate
            ),
            params,
            batch,
            scalar,
        )
    assert {leaf.dtype for leaf in jax.tree.leaves(outcome.params)} == {np.dtype(dtype)}


@every_entry
def test_decays_nothing_unless_asked(name, make_network, network_loss, train, compiled):
    optimizer = ENTRIES[name]
    params, batch = make_network(jnp.float32)
    rate = jnp.float32(optimizer.learning_rates[0])

    def run(build, **hyperparameters):
        return train(optimizer, build, params, batch, network_loss, rate, steps=2, **hyperparameters).params

    native = {"native": partial(run, optimizer.build, weight_decay=0.0)} if optimizer.decay == "native" else {}
    runs = {"wrapped": partial(run, decoupled(optimizer), weight_decay=0.0)} | native
    default, undecayed = compiled(lambda: (run(optimizer.build), {name: call() for name, call in runs.items()}))()
    if native:
        jax.tree.map(np.testing.assert_array_equal, default, undecayed["native"])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7), default, undecayed["wrapped"])


def test_evaluation_params_of_schedule_free_are_the_average_of_its_steps():
    # From 1 with gradient 1 and rate 0.5, z visits 0.5, 0, -0.5; x is their mean.
    optimizer = ENTRIES["schedule_free_sgd"]
    transformation = decoupled(optimizer)(0.5)
    params = jnp.array([1.0])
    state = transformation.init(params)
    for mean in (0.5, 0.25, 0.0):
        updates, state = transformation.update(jnp.array([1.0]), state, params)
        params = optax.apply_updates(params, updates)
        np.testing.assert_allclose(optimizer.evaluation_params(state, params), [mean], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("adam", [1] * 12),
        ("sam", [2] * 12),
        ("sophia", [2, *[1] * 9, 2, 1]),  # the curvature is estimated at every tenth step
    ],
)
def test_gradient_evaluations(name, expected, train):
    optimizer = ENTRIES[name]
    outcome = train(
        optimizer,
        decoupled(optimizer),
        jnp.array([1.0]),
        None,
        lambda params, _: jnp.sum(params**2),
        jnp.float32(1e-3),
        steps=12,
    )
    assert outcome.gradient_evaluations.tolist() == expected


def test_gradient_evaluations_of_lbfgs_count_the_line_search(train):
    optimizer = ENTRIES["lbfgs"]
    calls = []

    def loss(params, _):
        jax.debug.callback(lambda: calls.append(1))
        return jnp.sum((params - jnp.array([1.0, 2.0])) ** 2 * jnp.array([1.0, 50.0]))

    outcome = train(optimizer, decoupled(optimizer), jnp.zeros(2), None, loss, jnp.float32(1.0), steps=4)
    jax.effects_barrier()
    assert sum(outcome.gradient_evaluations.tolist()) == len(calls)


def test_seeded_entries_draw_by_their_seed(make_network, network_loss, train, compiled):
    seeded = {name for name, optimizer in ENTRIES.items() if "seed" in optimizer.needs}
    assert seeded == {"dpsgd", "noisy_sgd", "sophia"}
    params, batch = make_network(jnp.float32)
    # By default sophia clips every step of so short a run, whatever curvature it has drawn.
    unclipped = {"sophia": {"b2": 0.0, "gamma": 1.0, "clip_threshold": 1e6, "eps": 0.1}}
    for name in seeded:
        optimizer, settings = ENTRIES[name], unclipped.get(name, {})
        run = compiled(
            lambda seed, optimizer=optimizer, settings=settings: train(
                optimizer, decoupled(optimizer), params, batch, network_loss, 1e-2, steps=2, seed=seed, **settings
            ).params["hidden"]["weights"]
        )
        first, again, other = (np.asarray(run(jnp.uint32(seed))) for seed in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert (first != other).any(), name


@pytest.mark.parametrize(
    ("module", "name"),
    [
        *((optax, name) for name in ("optimistic_adam_v2", "signum")),
        *((optax.contrib, name) for name in ("galore", "madgrad")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_an_older_optax_lacks_fails_alone(module, name, monkeypatch):
    # optax 0.2.5 has none of these four: the tables are made without them, and building one says which it is.
    monkeypatch.delattr(module, name)
    with pytest.raises(AttributeError, match=name):
        ENTRIES[name].build(0.1)


def test_muon_takes_another_rate_for_what_is_no_matrix():
    """The first step of nadamw is the sign of the gradient; the matrix moves as it does without."""
    params = {"matrix": jnp.eye(2), "vector": jnp.ones(2)}
    gradient = {"matrix": jnp.array([[1.0, 2.0], [3.0, 5.0]]), "vector": jnp.array([1.0, -1.0])}

    def first(**rates):
        transformation = ENTRIES["muon"].build(0.1, weight_decay=0.5, **rates)
        return transformation.update(gradient, transformation.init(params), params)[0]

    same, apart = first(), first(adam_learning_rate=0.01)
    np.testing.assert_array_equal(same["matrix"], apart["matrix"])
    np.testing.assert_allclose(apart["vector"], 0.1 * same["vector"], rtol=1e-5)
    # The decay of 0.5 is by the vector's own rate, and beside it the two coordinates move by as much.
    np.testing.assert_allclose(jnp.sum(apart["vector"]), -2 * 0.01 * 0.5, rtol=1e-4)


def test_polyak_sgd_never_steps_uphill():
    transformation = ENTRIES["polyak_sgd"].build(1.0, f_min=0.5)
    params, gradient = jnp.array([1.0]), jnp.array([2.0])
    for value, step in ((0.25, 0.0), (0.9, 0.1), (9.5, 1.0)):
        updates, _ = transformation.update(gradient, transformation.init(params), params, value=value)
        np.testing.assert_allclose(updates, -step * gradient, rtol=1e-6)


def test_mechanize_names_the_inner_optimizers_it_accepts():
    with pytest.raises(ValueError, match="adam, sgd"):
        ENTRIES["mechanize"].build(1.0, inner="adams")
