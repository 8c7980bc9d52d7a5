"""Learning-rate schedules by name, each with a share of the steps for warm-up: `cosine[warmup=0.1]`."""

from typing import NamedTuple

from optbench.errors import RequestError, nearest, quote
from optbench.request.grammar import format_spec, parse_spec, split
from optbench.request.grid import unique

SCHEDULES = ("constant", "cosine", "linear", "wsd")


class Schedule(NamedTuple):
    """A shape, and the fraction of the steps that climb to it."""

    name: str
    warmup: float


def parse_schedule(text: str) -> Schedule:
    """Read one schedule with at most one value of `warmup`."""
    found = _schedules(text)
    if len(found) != 1:
        raise RequestError(f"{quote(text)}: one schedule is accepted here")
    return found[0]


def parse_schedules(text: str) -> tuple[str, ...]:
    """Read a comma list of schedules as their canonical texts."""
    found = [schedule for item in split(text) for schedule in _schedules(item)]
    texts = (format_spec(name, {"warmup": warmup} if warmup else {}) for name, warmup in found)
    return unique(texts)  # pyright: ignore[reportReturnType]


def _schedules(text: str) -> list[Schedule]:
    spec = parse_spec(text)
    if spec.name not in SCHEDULES:
        raise RequestError(f"unknown schedule {quote(spec.name)}{nearest(spec.name, SCHEDULES)}")
    for key in spec.parameters:
        if key != "warmup":
            raise RequestError(f"{spec.name}: unknown parameter {quote(key)}{nearest(key, ['warmup'])}")
    found = []
    for warmup in spec.parameters.get("warmup", (0.0,)):
        if not isinstance(warmup, int | float) or isinstance(warmup, bool) or not 0 <= warmup < 1:
            raise RequestError(f"{quote(text)}: warmup is a fraction of the steps, from 0 to below 1")
        found.append(Schedule(spec.name, float(warmup) + 0.0))
    return found
