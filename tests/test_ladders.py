"""Every ladder can be climbed: targets are reached by an optimizer of the family's suite, and rungs tell apart."""

import math

import pytest

from optbench import problems, run
from optbench.request import format_spec, load_suite

#: Tried first, as it reaches most targets; the others come in the suite's order.
FIRST = ("adam", "adamw")


def suite_of(family):
    return load_suite("networks" if ".networks." in problems.families()[family] else "landscape")


def climb(family, entry, results):
    """Tune one optimizer on one seed of each rung: its steps to the target from easy to hard."""
    specs = [format_spec(family, rung) for rung in problems.rungs(family)]
    asked = {"problems": specs, "optimizers": [entry.model_dump(exclude_none=True)], "seeds": 1, "report_seeds": 0}
    asked |= {"select_by": "steps_to_target", "schedule": "constant"}
    done = run(suite_of(family), **asked, throughput=False, results=results, name="ladder")
    assert done.failed == ()
    steps = {row["problem"]: row["steps_to_target"] for row in done.convergence().to_records()}
    return [steps[spec] for spec in specs]


def _marked(family):
    """Set the networks apart: their ladders take five minutes."""
    return pytest.param(family, marks=pytest.mark.long if ".networks." in problems.families()[family] else ())


@pytest.mark.parametrize("family", [_marked(family) for family in problems.families()])
def test_targets_are_reached_and_rungs_differ(family, tmp_path):
    entries = sorted(suite_of(family).optimizers, key=lambda entry: entry.spec not in FIRST)
    climbed = {}
    for entry in entries:
        climbed[entry.spec] = climb(family, entry, tmp_path)
        easy, medium, _ = (min(steps) for steps in zip(*climbed.values(), strict=True))
        differ = any(len(set(steps)) > 1 for steps in climbed.values())
        if max(easy, medium) < math.inf and differ:
            return
    pytest.fail(f"steps to target on the easy, medium and hard rung: {climbed}")
