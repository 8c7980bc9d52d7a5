"""One colour for each optimizer of a run, in all its figures and over its whole page."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from optbench.analyse.outcomes import Slice
from optbench.errors import RequestError
from optbench.figures._tasks import best_first
from optbench.figures.figure import MOST_COLOURED, Options, look_with
from optbench.request.grammar import parse_spec
from optbench.store.run import StoredRun
from optbench.store.status import Outcome

if TYPE_CHECKING:
    from optbench.present.charts.style import Look, Style


def look_of(run: StoredRun, options: Options, names: Iterable[str] | None = None) -> "Look":
    """Return the look of a figure of a run's optimizers: eight are coloured, each as in every figure of the run.

    `names` are those that the figure shows; all that have a finished cell, where not given.
    """
    shown = _finished(run) if names is None else list(dict.fromkeys(names))
    coloured = _coloured(run.whole, shown)
    styles = _styles(run.whole, coloured)
    greys = [name for name in shown if name not in styles]
    return look_with([*styles, *greys], options)._replace(chosen=tuple(styles.values()))


def own_optimizers(run: StoredRun) -> set[str]:
    """Return the labels of a run's optimizers that are a user's own: ./file.py:make, or what that is shown as."""
    labels = {label for entry in run.manifest["suite"]["optimizers"] if (label := _own_label(entry["spec"]))}
    return {name for name in _in_order(run) if ":" in name.partition("[")[0] or name.partition("[")[0] in labels}


def _own_label(spec: str) -> str:
    try:
        parsed = parse_spec(spec)
    except RequestError:
        # A run of another version may hold what this one's grammar does not.
        return ""
    return parsed.label if ":" in parsed.name else ""


def _coloured(run: StoredRun, shown: Iterable[str]) -> list[str]:
    """Choose the optimizers that are coloured of those shown, in the order of the run, a user's own first."""
    own, order = own_optimizers(run), _in_order(run)
    names = sorted(shown, key=lambda name: (name not in own, order.index(name)))
    if len(names) <= MOST_COLOURED:
        return names
    ranked = {name: place for place, name in enumerate(_by_rank(run))}
    chosen = sorted(names, key=lambda name: (name not in own, ranked.get(name, len(ranked))))[:MOST_COLOURED]
    return [name for name in names if name in chosen]


def _styles(run: StoredRun, coloured: Iterable[str]) -> "dict[str, Style]":
    """Return the styles of names: those that they have where all of the run is shown, and free ones for others."""
    from optbench.present.charts.style import OWN, STYLES

    everywhere = _coloured(run, _finished(run))
    own = own_optimizers(run)
    first = next((name for name in everywhere if name in own), None)
    usual = [name for name in everywhere if name != first]
    styles = dict(zip(usual, STYLES, strict=False)) | ({} if first is None else {first: OWN})
    taken = {styles[name].colour for name in coloured if name in styles}
    free = iter(one for one in STYLES if one.colour not in taken)
    return {name: (styles.get(name) or next(free))._replace(thick=name in own) for name in coloured}


def _in_order(run: StoredRun) -> list[str]:
    """List the optimizers as they were asked for; last those that parts alone name."""
    names = [cell["optimizer"] for cell in run.manifest["cells"]] + [part.record.optimizer for part in run.parts]
    return list(dict.fromkeys(names))


def _finished(run: StoredRun) -> list[str]:
    names = {part.record.optimizer for part in run.parts if part.outcome == Outcome.FINISHED}
    return [name for name in _in_order(run) if name in names]


def _by_rank(run: StoredRun) -> list[str]:
    """Order the optimizers of a run: those with the most first places, then the best mean ranks."""
    tasks: dict[tuple[str, object], list] = {}
    for part in run.parts:
        if part.outcome == Outcome.FINISHED:
            tasks.setdefault((part.record.problem, part.record.batch_size), []).append(part)
    ranks: dict[str, list[int]] = {}
    for parts in tasks.values():
        for rank, part in enumerate(best_first(parts, Slice())):
            ranks.setdefault(part.record.optimizer, []).append(rank)
    return sorted(ranks, key=lambda name: (-ranks[name].count(0), float(np.mean(ranks[name]))))
