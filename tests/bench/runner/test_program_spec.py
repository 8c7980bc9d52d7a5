"""What a job's program is built with beside its points."""

import jax
import pytest

from optbench.planning.jobs import plan_jobs, resolve_suite
from optbench.runner.program_spec import defaults_of, preparer, recipe_of


def settings(problem, optimizer):
    """Return the problem's optimum and the settings that its program is built with."""
    (job,) = plan_jobs(resolve_suite(None, problems=[problem], optimizers=[optimizer], learning_rate="1"), "cpu")
    prepared = preparer(jax.devices()[0])(job.problem, "float32")
    return job.problem.optimum(), recipe_of(job, prepared).static


@pytest.mark.parametrize(
    ("optimizer", "name"), [("polyak_sgd", "f_min"), ("momo", "lower_bound"), ("momo_adam", "lower_bound")]
)
def test_what_steps_by_the_optimum_gets_it_where_it_is_known(optimizer, name):
    optimum, static = settings("bbob", optimizer)
    assert optimum != 0
    assert static == {name: optimum}
    # A person's own value stays: it is a point's.
    assert settings("bbob", f"{optimizer}[{name}=-3]")[1] == {}
    assert settings("mlp", optimizer) == (None, {})


def test_others_are_not():
    assert settings("bbob", "sgd")[1] == {}
    assert settings("bbob", "mechanize[inner=sgd]")[1] == {"inner": "sgd"}


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        ("adam[b1=0.5]", {"learning_rate": 1e-3, "weight_decay": 0, "b1": 0.9}),
        ("muon[adam_learning_rate=1e-3]", {"learning_rate": 2e-2, "weight_decay": 0, "adam_learning_rate": 2e-2}),
        ("adafactor[momentum=0.5]", {"learning_rate": 1e-2, "weight_decay": 0}),
    ],
)
def test_defaults_are_of_what_the_points_hold(optimizer, expected):
    (job,) = plan_jobs(resolve_suite(None, problems=["quadratic"], optimizers=[optimizer], learning_rate="1"), "cpu")
    assert defaults_of(job) == expected


def test_a_plug_in_s_default_learning_rate_is_its_signature_s(tmp_path):
    code = "import optax\ndef {}(learning_rate{}):\n    return optax.sgd(learning_rate)\n"
    (tmp_path / "mine.py").write_text(code.format("make", "=0.25") + code.format("bare", ""))
    asked = resolve_suite(
        None, problems=["quadratic"], optimizers=[f"{tmp_path}/mine.py:{name}" for name in ("make", "bare")]
    )
    assert [defaults_of(job).get("learning_rate") for job in plan_jobs(asked, "cpu")] == [0.25, None]
