"""The words that captions share."""

from optbench.analyse.statistics import interval_words
from optbench.figures.axes import metric_title
from optbench.figures.figure import MOST_COLOURED, Options
from optbench.store.run import StoredRun
from optbench.store.status import Outcome

ROUNDING = "edge stands for zero and what is lost in rounding."
#: How to read the end of a logarithmic axis of values, by the side that it has.
LOWER_EDGE, LEFT_EDGE = (f"On a logarithmic axis the {side} {ROUNDING}" for side in ("lower", "left"))
UPPER_EDGE = "the upper edge stands for all above it."
NOT_TIMED = "is timed; optbench throughput times them"


def make_caption(run: StoredRun, *sentences: str) -> str:
    """Join the sentences of a caption, and name the run and how many of its cells are missing."""
    suite, device = run.manifest["suite"], run.manifest["device"]["device"]
    total = len(run.manifest["cells"])
    missing = total - sum(part.outcome == Outcome.FINISHED for part in run.parts)
    count = f"{missing} of {total} cells failed or are not finished." if missing else ""
    source = f"Run {run.folder.name}, {suite['dtype']} on {device}."
    return " ".join(sentence for sentence in (*sentences, count, source) if sentence)


def metric_words(options: Options) -> str:
    """Begin a caption with the metric that is shown."""
    if options.metric is None:
        return "Train loss, or where the optimum is known the gap to it,"
    return {"gap": "Gap between train loss and optimum"}.get(options.metric, metric_title(options.metric).capitalize())


def x_words(options: Options) -> str:
    """Name what the horizontal axis counts."""
    words = {
        "seconds": "seconds (steps times the measured median seconds of a step)",
        "gradients": "gradient evaluations",
    }
    return words.get(options.along, options.along)


def seed_words(run: StoredRun, options: Options) -> str:
    """Name the seeds that a median is taken over."""
    stored, wanted = run.manifest["suite"]["report_seeds"], options.view.seeds
    if not stored:
        return "the selection seeds of the best point"
    num = stored if wanted is None else min(wanted, stored)
    return "a fresh report seed" if num == 1 else f"{num} fresh report seeds"


def intervals_of(run: StoredRun, options: Options) -> str:
    """Return what the intervals of a median over those seeds are."""
    stored, wanted = run.manifest["suite"]["report_seeds"], options.view.seeds
    seeds = [part.record.seeds for part in run.parts if part.outcome == Outcome.FINISHED]
    num = stored or min(seeds, default=0)
    return interval_words(num if wanted is None else min(wanted, num))


def slice_words(options: Options) -> str:
    """Name the part of the curves that is looked at, in brackets; "" for all of them."""
    view = options.view
    words = [] if view.at_step is None else [f"up to step {view.at_step}"]
    words += [] if view.target is None else [f"to train_loss <= {view.target:g}"]
    words += [] if view.seeds is None else [f"of the first {view.seeds} seed{'s' if view.seeds > 1 else ''}"]
    return f" ({', '.join(words)})" if words else ""


def coloured_words(run: StoredRun) -> str:
    """Say which optimizers are coloured; "" if all are."""
    num = len({part.record.optimizer for part in run.parts if part.outcome == Outcome.FINISHED})
    rule = f"Coloured: the {MOST_COLOURED} of {num} optimizers with the most first places, then the best mean ranks."
    return rule if num > MOST_COLOURED else ""


def tuned_words(run: StoredRun, options: Options) -> str:
    """Say what a tuned optimizer's value is, and what its interval."""
    return (
        f"median over {seed_words(run, options)} of the point that did best on the selection seeds, with "
        f"{intervals_of(run, options)}"
    )
