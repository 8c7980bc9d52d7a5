"""What people write as an optimizer trains as it says, or its cell says in one line why it doesn't."""

import pytest

from optbench.request import RequestError

OPTIMIZERS = """
import jax, jax.numpy as jnp, optax

learning_rates = (1e-3, 0.3)

def plain(learning_rate):
    return optax.sgd(learning_rate)

def injected(learning_rate):
    return optax.inject_hyperparams(optax.sgd)(learning_rate=learning_rate)

def decaying(learning_rate, weight_decay=0.5):
    return optax.adamw(learning_rate, weight_decay=weight_decay)

def averaging(learning_rate):
    return optax.contrib.schedule_free_sgd(learning_rate)

def accumulating(learning_rate):
    return optax.MultiSteps(optax.sgd(learning_rate), 1)

def positive(learning_rate):
    if learning_rate <= 0: raise ValueError("positive, please")
    return optax.sgd(learning_rate)

def warm(learning_rate):
    return optax.adamw(optax.warmup_cosine_decay_schedule(0.0, learning_rate, 1, 4))

def branching(learning_rate):
    def update(gradients, state, params=None):
        if jax.tree.leaves(gradients)[0].sum() > 0:
            return gradients, state
        return gradients, state
    return optax.GradientTransformation(lambda params: (), update)

def looking(learning_rate):
    return optax.lookahead(optax.sgd(learning_rate), sync_period=5, slow_step_size=0.5)

def drifting(learning_rate):
    return optax.GradientTransformation(lambda params: jnp.int32(0), lambda g, count, params=None: (g, count + 0.5))

def rate_in_the_state(learning_rate):
    def update(gradients, rate, params=None):
        return jax.tree.map(lambda g: -rate * g, gradients), 0.9 * rate
    return optax.GradientTransformation(lambda params: jnp.asarray(learning_rate), update)
"""


@pytest.fixture
def named(plugin):
    """Name the functions of a file: named("plain", ...) -> their specs."""
    file = plugin(OPTIMIZERS).removesuffix("make")
    return lambda *names: [f"{file}{name}" for name in names]


def losses(run, *columns):
    """Return the last loss of each trial of the selection, by its optimizer's function and by columns."""
    rows = [row for row in run.trials().to_records() if row["phase"] == "select"]
    return {(row["optimizer"].split(":")[-1], *(row[name] for name in columns)): row["train_loss"] for row in rows}


def test_a_schedule_and_a_decay_mean_the_same_for_own_optimizers(tiny, named):
    specs = named("plain", "injected", "decaying", "averaging", "accumulating")
    words = {"learning_rate": "0.1", "weight_decay": "0,0.5", "schedule": "constant,linear", "report_seeds": 0}
    ended = losses(tiny(optimizers=[*specs, "sgd", "adamw", "schedule_free_sgd"], **words), "weight_decay", "schedule")
    assert len(ended) == 8 * 4
    copies = {"plain": "sgd", "injected": "sgd", "accumulating": "sgd", "decaying": "adamw"}
    for (name, *point), loss in ended.items():
        original = copies.get(name, "schedule_free_sgd" if name == "averaging" else name)
        assert loss == pytest.approx(ended[original, *point], rel=1e-5), (name, point)
    assert len({ended["sgd", decay, schedule] for decay in (0, 0.5) for schedule in ("constant", "linear")}) == 4


#: Function -> what its cell says, whole.
FAULTS = {
    "positive": "plug.py line 22: learning_rate, as every number that is swept, stands for all points at once: "
    "no if, float() or numpy; schedules: --schedule 'cosine[warmup=0.1]'",
    "warm": "plug.py line 26: learning_rate, as every number that is swept, stands for all points at once: "
    "no if, float() or numpy; schedules: --schedule 'cosine[warmup=0.1]'",
    "branching": "plug.py line 30: arrays have no values while a program is compiled: "
    "jnp.where in place of if, jax.numpy in place of numpy",
    "looking": "{}: optax.lookahead wants LookaheadParams, a pair; accepted: what takes plain parameters",
    "drifting": "TypeError: an update changes the type of state: int32[] at the start, float32[] after it; "
    "give it one type",
    "rate_in_the_state": "ValueError: the learning rate lies in the optimizer's state (state) and changes there, so no "
    "schedule reaches it; accepted: --schedule constant, or an update that reads learning_rate itself",
}


def test_a_fault_of_an_own_optimizer_is_one_line_with_its_place(tiny, named):
    specs = named(*FAULTS)
    run = tiny(optimizers=[*specs, "sgd"], schedule="linear")
    messages = {row["optimizer"]: row["message"] for row in run.trials().to_records() if row["message"]}
    assert messages == {spec: text.format(spec) for spec, text in zip(specs, FAULTS.values(), strict=True)}


def test_a_range_beside_a_function_is_the_one_it_is_tuned_over(tiny, named):
    run = tiny(optimizers=named("plain"), learning_rate="default:2", report_seeds=0)
    assert [rate for _, rate in losses(run, "learning_rate")] == [1e-3, 0.3]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "learning_rates = (1, 0.1)\ndef make(learning_rate): pass",
            "learning_rates is (1, 0.1); accepted: two numbers",
        ),
        ("learning_rates = 0.1\ndef make(learning_rate): pass", "learning_rates is 0.1; accepted: two numbers"),
        (
            "from optbench.optimizers import Optimizer\n"
            "make = Optimizer(lambda learning_rate: None, (0.1, 1.0), 'x', needs={'values'})",
            "needs 'values', which is nothing; did you mean 'value'?",
        ),
    ],
)
def test_what_an_entry_says_is_checked_before_any_work(tiny, plugin, code, message):
    with pytest.raises(RequestError) as error:
        tiny(optimizers=[plugin(code)])
    assert message in str(error.value)


PROBLEMS = """
import jax.numpy as jnp
from optbench.problems.problem import Problem

TARGET = jnp.array([1 + 2j, 3 - 1j])

def bowl(init, distance):
    return Problem(init=init, loss=lambda p, batch, key: distance(p), metrics=lambda p, data: {"loss": distance(p)},
                   project=lambda p: p, source="|z - target|^2")

def complex_one():
    return bowl(lambda key: jnp.zeros(2, jnp.complex64), lambda z: jnp.sum(jnp.abs(z - TARGET) ** 2))

def two_reals():
    return bowl(lambda key: (jnp.zeros(2), jnp.zeros(2)), lambda p: jnp.sum(jnp.abs(p[0] + 1j * p[1] - TARGET) ** 2))

def half():
    return bowl(lambda key: jnp.ones(4, jnp.bfloat16), lambda p: jnp.sum(p.astype(jnp.float32) ** 2))
"""


def test_complex_parameters_descend_as_their_two_parts_do(tiny, plugin):
    file = plugin(PROBLEMS, "problems_of_mine").removesuffix("make")
    problems = [f"{file}complex_one", f"{file}two_reals"]
    run = tiny(problems=problems, optimizers=["adam"], learning_rate="0.1", weight_decay="0,0.1", report_seeds=0)
    rows = [(row["problem"], row["weight_decay"], row["train_loss"]) for row in run.trials().to_records()]
    assert [loss for name, _, loss in rows if name == problems[0]] == [loss for name, _, loss in rows[2:]]
    # The squared distances from 0 are 5 and 10; Adam moves each part by about the rate at each step.
    assert all(9 < loss < 13 for *_, loss in rows)


def test_a_swept_number_leaves_the_precision_of_a_state_as_it_is(tiny, plugin):
    file = plugin(PROBLEMS, "problems_of_mine").removesuffix("make")
    run = tiny(problems=[f"{file}half"], optimizers=["adamw[b1=0.8,0.9]"], learning_rate="0.1", report_seeds=0)
    ended = {row["b1"]: row["train_loss"] for row in run.trials().to_records()}
    plain = tiny("plain", problems=[f"{file}half"], optimizers=["adamw"], learning_rate="0.1", report_seeds=0)
    (row,) = plain.trials().to_records()
    # bfloat16 holds three digits.
    assert ended[0.9] == pytest.approx(row["train_loss"], rel=0.02)
