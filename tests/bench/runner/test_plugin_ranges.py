"""A plug-in without a range of its own is tuned over nobody's, unless it is said whose."""

import pytest

from optbench.planning.jobs import pick_device, plan_jobs, resolve_suite
from optbench.request import RequestError
from optbench.runner.plugin_ranges import ranges_note

CODE = "import optax\ndef make(learning_rate): return optax.adam(learning_rate)"
OWN = "import optax\nfrom optbench.optimizers.optimizer import Optimizer\nmake = Optimizer(optax.sgd, (0.1, 1.0), 'x')"


def planned(*optimizers, **asked):
    suite = resolve_suite(None, problems=["quadratic[dim=3,condition=2]"], optimizers=[*optimizers], **asked)
    return suite, plan_jobs(suite, pick_device("cpu").device_kind)


def rates(job):
    return sorted({point["learning_rate"] for point in job.cell.points})


def test_the_range_is_said(plugin):
    text = plugin(CODE)
    assert ranges_note(*planned(text, "sgd")).startswith(
        f"{text}: tuned over learning rates of 0.0001 to 1, because no range"
    )


@pytest.mark.parametrize("asked", [{"like": "adamw"}, {"learning_rate": "0.1,0.2"}], ids=str)
def test_what_is_asked_for_needs_no_note(plugin, asked):
    assert ranges_note(*planned(plugin(CODE), "sgd", **asked)) == ""


def test_an_optimizer_keeps_its_own_range_whatever_it_is_to_be_like(plugin):
    suite, (job,) = planned(plugin(OWN), like="adamw", learning_rate="default:2")
    assert ranges_note(suite, [job]) == "" and rates(job) == [0.1, 1.0]


def test_like_takes_the_range_of_another(plugin):
    _, (mine, theirs) = planned(
        plugin(CODE), "adamw", like="adamw", learning_rate="default:3", weight_decay="default:2"
    )
    assert mine.cell.points == theirs.cell.points


def test_like_names_an_optimizer(plugin):
    with pytest.raises(RequestError, match="unknown optimizer 'adamv'"):
        planned(plugin(CODE), like="adamv")
