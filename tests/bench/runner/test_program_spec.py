"""What a job's program is built with beside its points."""

import jax
import pytest

from optbench.planning.jobs import plan_jobs, resolve_suite
from optbench.runner.program_spec import preparer, recipe_of


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
