"""Over which learning rates plug-ins are tuned that bring no range of their own, said before anything runs."""

from collections.abc import Sequence

from optbench.planning.jobs import Job
from optbench.planning.registry import PLUGIN_LEARNING_RATES
from optbench.request import Suite, parse_spec


def ranges_note(asked: Suite, jobs: Sequence[Job]) -> str:
    """Return which plug-ins are tuned over a range that is nobody's own; "" where there are none."""
    entries = [(parse_spec(entry.spec), entry) for entry in asked.optimizers]
    unsure = {
        (spec.label or spec.name, spec.name)
        for spec, entry in entries
        if not (entry.like or asked.like or "learning_rate" in spec.parameters)
        and "default" in (entry.learning_rate or asked.learning_rate)
    }
    known = jobs[0].known.optimizers
    names = [
        label for label, name in sorted(unsure) if name in known and known[name].learning_rates is PLUGIN_LEARNING_RATES
    ]
    low, high = PLUGIN_LEARNING_RATES
    return (
        f"{', '.join(names)}: tuned over learning rates of {low:g} to {high:g}, because no range is given; "
        "--like NAME takes that of another optimizer, as compare does"
        if names
        else ""
    )
