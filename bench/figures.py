"""The kinds of figures that a run has: what each shows, how it is drawn, and the caption that goes with it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from bench.analyse.outcomes import Slice

if TYPE_CHECKING:
    import altair as alt

    from bench.tables import Run

#: One column of a paper, 85 mm, in points.
COLUMN = 241


@dataclass(frozen=True)
class Options:
    """Say how a figure is drawn."""

    #: The gap where the optimum is known, else the train loss, where not given.
    metric: str | None = None
    #: steps, examples, gradient_evaluations or seconds.
    x: str = "steps"
    #: A logarithmic axis of values; where it matters and all are positive, where not given.
    log: bool | None = None
    view: Slice = field(default_factory=Slice)
    #: For pages: highlight under the pointer, filter by name.
    interactive: bool = False
    #: In points of a paper, or pixels of a page.
    width: int = COLUMN


class Figure(NamedTuple):
    """Say what a figure shows; `make` raises ValueError, in one line, where a run has nothing to show."""

    meaning: str
    make: Callable[["Run", Options], "alt.TopLevelMixin"]
    #: What is shown and how it was computed.
    caption: Callable[["Run", Options], str]


def _later(run: "Run", options: Options) -> "alt.TopLevelMixin":
    raise ValueError("not drawn yet")


KINDS = {
    "convergence": "how far each tuned optimizer came",
    "curves": "how each tuned optimizer came there",
    "grid": "every trial of an optimizer's grid, and its winner",
    "sensitivity": "how much the learning rate matters",
    "heatmap": "learning rate against weight decay",
    "batch-scaling": "what a larger batch buys",
    "budget": "the expected best of k configurations",
    "ranks": "mean ranks over problems",
    "profile": "performance profiles",
    "ecdf": "the share of targets met",
    "ert": "expected running time to each target",
    "time-to-target": "how many seconds the target takes",
    "throughput": "what a step costs, against the machine's limit",
}
FIGURES = {
    kind: Figure(meaning, _later, lambda run, options, meaning=meaning: meaning) for kind, meaning in KINDS.items()
}
