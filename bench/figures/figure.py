"""What is known of a kind of figure, and what can be asked of one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from optbench.analyse.outcomes import Slice
from optbench.analyse.series import X
from optbench.errors import check_name
from optbench.store.run import StoredRun

if TYPE_CHECKING:
    from optbench.present.charts.style import Look, Spec

#: One column of a paper, 85 mm, in points.
COLUMN = 241
#: Optimizers that get a colour of their own.
MOST_COLOURED = 8
#: How a reader of a page may have values laid out -> `Options.log`: logarithmic where they can be, or not.
SCALES = {"logarithmic": None, "linear": False}


@dataclass(frozen=True)
class Options:
    """What is asked of a figure. Raises RequestError for an unknown x."""

    #: The gap where the optimum is known, else the train loss, if not given.
    metric: str | None = None
    #: steps, examples, gradients or seconds; the figure's own, if not given.
    x: str | None = None
    #: A logarithmic axis of values; where all are positive, if not given.
    log: bool | None = None
    view: Slice = field(default_factory=Slice)
    #: For pages: highlight under the pointer, filter by name.
    interactive: bool = False
    #: In points of a paper, or pixels of a page.
    width: float = COLUMN

    def __post_init__(self) -> None:
        if self.x == "gradient_evaluations":
            object.__setattr__(self, "x", "gradients")
        if self.x is not None:
            check_name(self.x, X, "x")

    @property
    def along(self) -> str:
        """Return what curves are drawn against."""
        return self.x or "steps"

    @property
    def by(self) -> Slice:
        """Return the slice, with work counted in what is drawn against."""
        return replace(self.view, by=self.x)


class Figure(NamedTuple):
    """All that is known of a kind of figure."""

    #: As a title says it: "what a larger batch buys".
    meaning: str
    #: Returns a Vega-Lite specification. Raises ValueError, in one line, for a run that has nothing to show.
    draw: Callable[[StoredRun, Options], "Spec"]
    #: Says what is shown and how it was computed.
    caption: Callable[[StoredRun, Options], str]
    #: It shows the metric that `Options.metric` names.
    takes_metric: bool = False
    #: What `Options.x` may be; nothing where the figure has no such axis.
    takes_x: Sequence[str] = ()
    #: Title of the report's section that shows it; None of what no report shows.
    section: str | None = None
    #: A report shows it at once, and not on demand alone.
    open_in_report: bool = False
    #: What a reader of a report may choose for the horizontal axis; seconds where all steps were timed on one machine.
    axes: Sequence[str] = ()
    #: How a reader may have values laid out, as `SCALES`.
    scales: Mapping[str, bool | None] = {}
    #: It shows single cells, of many only some: a reader may choose an optimizer whose cells are shown.
    per_optimizer: bool = False


def nothing_to_draw(run: StoredRun, reason: str) -> ValueError:
    """Return the error that says in one line why a run has nothing to show."""
    return ValueError(f"{run.folder.name}: {reason}")


def look_with(names: Sequence[str], options: Options) -> "Look":
    """Colour the first of some names, and leave the others grey."""
    from optbench.present.charts.style import Look

    num_grey = len(names) - MOST_COLOURED
    others = f"{num_grey} other{'s' if num_grey > 1 else ''}" if num_grey > 0 else ""
    return Look(round(options.width), options.interactive, tuple(names[:MOST_COLOURED]), others)
