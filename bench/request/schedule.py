"""Learning-rate schedules by name, each with a share of the steps for warm-up: `cosine[warmup=0.1]`."""

from typing import NamedTuple

from optbench.errors import RequestError, nearest, quote
from optbench.request.grammar import format_spec, parse_spec, split
from optbench.request.grid import unique

SCHEDULES = ("constant", "cosine", "linear", "wsd")


class Schedule(NamedTuple):
    """The name of a schedule, and its warm-up as a fraction of the steps."""

    name: str
    warmup: float


def parse_schedule(text: str) -> Schedule:
    """Return one schedule, with at most one value of `warmup`. Raises RequestError for none or several."""
    schedules = _schedules(text)
    if len(schedules) != 1:
        raise RequestError(f"{quote(text)}: one schedule is accepted here")
    return schedules[0]


def parse_schedules(text: str) -> tuple[str, ...]:
    """Return a comma list of schedules as their canonical texts. Raises RequestError for unknown ones."""
    schedules = [schedule for item in split(text) for schedule in _schedules(item)]
    texts = (format_spec(name, {"warmup": warmup} if warmup else {}) for name, warmup in schedules)
    return unique(texts)  # pyright: ignore[reportReturnType]


def _schedules(text: str) -> list[Schedule]:
    spec = parse_spec(text)
    if spec.name not in SCHEDULES:
        raise RequestError(f"unknown schedule {quote(spec.name)}{nearest(spec.name, SCHEDULES)}")
    for key in spec.parameters:
        if key != "warmup":
            raise RequestError(f"{spec.name}: unknown parameter {quote(key)}{nearest(key, ['warmup'])}")
    schedules = []
    for warmup in spec.parameters.get("warmup", (0.0,)):
        if not isinstance(warmup, int | float) or isinstance(warmup, bool) or not 0 <= warmup < 1:
            raise RequestError(f"{quote(text)}: warmup is a fraction of the steps, from 0 to below 1")
        schedules.append(Schedule(spec.name, float(warmup) + 0.0))
    return schedules
