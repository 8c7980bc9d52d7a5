"""The forest plot of a comparison: how one optimizer stands against each other, problem by problem."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from optbench.analyse.statistics import FEWEST, median_interval
from optbench.errors import RequestError
from optbench.figures.axes import metric_title
from optbench.figures.figure import COLUMN
from optbench.figures.write import write_figure

if TYPE_CHECKING:
    from optbench.present.charts.forest import ForestPanel, Row
    from optbench.present.charts.style import Spec

#: More pairs are no figure.
MOST_PAIRS = 12
#: Metrics of which more is better are compared by what they lack of 1.
MORE_IS_BETTER = "accuracy"


def plot_forest(
    rows: Sequence[Mapping[str, Any]], margin: float, path: Path, width: float = COLUMN, sources: Iterable[str] = ()
) -> str:
    """Write the forest plot of the rows of a comparison, and return its caption.

    `sources` are the runs compared. Raises RequestError for more pairs than one can look at, and what `write_figure`
    raises.
    """
    write_figure(lambda points: draw(rows, margin, points), path, width)
    return caption(rows, margin, sources)


def draw(rows: Sequence[Mapping[str, Any]], margin: float, width: float = COLUMN) -> "Spec":
    """Draw a panel for each pair of a comparison's rows. Raises RequestError for more pairs than one can look at."""
    from optbench.present.charts.forest import forest
    from optbench.present.charts.style import Look

    pairs: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        pairs.setdefault((row["optimizer"], row["reference"]), []).append(row)
    if len(pairs) > MOST_PAIRS:
        raise RequestError(f"{len(pairs)} pairs are too many for a figure; accepted: {MOST_PAIRS} at most")
    return forest([_panel(*pair, own, margin) for pair, own in pairs.items()], Look(round(width)))


def _panel(optimizer: str, reference: str, rows: Sequence[Mapping[str, Any]], margin: float) -> "ForestPanel":
    from optbench.present.charts.forest import VERDICTS, ForestPanel

    labels = _labels(rows)
    marks = [_row(row, label) for row, label in zip(rows, labels, strict=True)]
    verdicts = [row["verdict"] for row in rows]
    counts = ", ".join(f"{verdict} on {verdicts.count(verdict)}" for verdict in VERDICTS if verdict in verdicts)
    # Of a margin of everything the band begins left of any axis.
    band = (max(1 - margin, 1e-3), 1 + margin)
    title = f"{optimizer} against {reference}"
    return ForestPanel(title, counts, _x_title(rows), marks, _typical(marks), band)


def _row(row: Mapping[str, Any], label: str) -> "Row":
    from optbench.present.charts.forest import Row

    return Row(label, row["ratio"], row["ratio_low"], row["ratio_high"], row["verdict"])


def _labels(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name each row by its problem, and by its batch size where the problem has several."""
    problems = [row["problem"] for row in rows]
    return [
        row["problem"] if problems.count(row["problem"]) == 1 else f"{row['problem']}, batch {row['batch_size']}"
        for row in rows
    ]


def _typical(marks: Sequence["Row"]) -> "Row | None":
    """Return the median ratio over problems; None for fewer than two."""
    from optbench.present.charts.forest import SUMMARY, Row

    if len(marks) < 2:
        return None
    return Row(SUMMARY, *median_interval(np.array([mark.value for mark in marks])), "")


def _x_title(rows: Sequence[Mapping[str, Any]]) -> str:
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    names = [metric_title(metric).replace(MORE_IS_BETTER, "error") for metric in metrics]
    # Blanks that no SVG makes one of.
    return f"← better {names[0] if len(names) == 1 else 'loss or gap'}, ratio worse →"


def caption(rows: Sequence[Mapping[str, Any]], margin: float, sources: Iterable[str] = ()) -> str:
    """Say what the rows, intervals, marks and the band are."""
    num = len({(row["problem"], row["batch_size"]) for row in rows})
    of = ", ".join(dict.fromkeys(sources))
    sentences = (
        f"Each row is a problem: the median over seeds of the optimizer's {_metric_words(rows)} as a multiple of the "
        "reference's on the same seed, with its interval (95 % bootstrap, of fewer than six seeds their range).",
        "The mark is the verdict: better and worse are those of Wilcoxon's signed-rank test on the differences, "
        f"corrected over all rows; equal lies within {100 * margin:g} % of the reference (the band); undecided is "
        "hollow. An arrow points at what lies beyond the axis.",
        _typical_words(num) if num > 1 else "",
        f"{'Runs' if ',' in of else 'Run'} {of}." if of else "",
    )
    return " ".join(sentence for sentence in sentences if sentence)


def _metric_words(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(row["metric"] for row in rows))
    if not names[0].endswith(MORE_IS_BETTER):
        return " or ".join(map(metric_title, names))
    return f"{metric_title(names[0]).replace(MORE_IS_BETTER, 'error')} (1 less the accuracy)"


def _typical_words(num: int) -> str:
    interval = "its 95 % bootstrap interval over problems" if num >= FEWEST else f"the range of the {num} problems"
    return f"Diamond: the median over problems, with {interval}."
