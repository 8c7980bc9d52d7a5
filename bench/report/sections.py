"""The sections of a run's page: which tables and figures belong together, and how a reader may look at them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from optbench import tables
from optbench.figures import FIGURES, Options
from optbench.present.table import Table
from optbench.report.html.page import Figure, Lines, Shaded, Variant
from optbench.report.provenance import machine
from optbench.store.run import StoredRun

Block = Lines | Shaded | Figure
#: Width of a figure that has the page for itself.
WIDTH = 1240


class Topic(NamedTuple):
    """What one section of a run shows: kinds of tables and of figures; a star marks what is shown on demand."""

    title: str
    figures: Sequence[str] = ()
    tables: Sequence[str] = ()
    #: It is about seconds, which belong to one machine.
    timed: bool = False
    #: It adds up over problems.
    over: bool = False


TOPICS = (
    Topic("Results", ("curves", "convergence"), ("convergence", "best*")),
    Topic("Over all problems", ("ranks", "profile"), ("ranks", "profile*"), over=True),
    Topic("Targets", ("ecdf",), ("ecdf*",)),
    Topic("Learning rates", ("sensitivity", "heatmap*"), ("sensitivity*",)),
    Topic("Tuning", ("budget",), ("budget*", "defaults*")),
    Topic("Every trial of the grids", ("grid*",)),
    Topic("Batch sizes", ("batch-scaling",), ("batch-scaling*",)),
    Topic("Time to target", ("time-to-target", "ert"), ("time-to-target", "ert*"), timed=True),
    Topic("What a step costs", ("throughput",), ("throughput",), timed=True),
)
#: What the horizontal axis of curves may count.
AXES = ("steps", "examples", "seconds")
#: How values may be laid out: logarithmic where they can be, or not.
SCALES = {"logarithmic": None, "linear": False}
#: Figures that a reader may look at along other axes, and with other values.
CURVES, SCALED = ("curves",), ("curves", "sensitivity")
#: Figures of single cells, of which too many would be shown at once.
OF_EACH = ("grid", "heatmap")


def blocks_of(run: StoredRun, topic: Topic, several: bool) -> list[Block]:
    """Gather what a topic has to show; what is about seconds for each machine by itself."""
    if topic.over and len({cell["problem"] for cell in run.manifest["cells"]}) < 2:
        return []
    if not topic.timed:
        return _shown(run, topic, "", several)
    machines = timed_on(run)
    on = {name: f" (on {name})" if len(machines) > 1 else "" for name in machines}
    blocks = [block for name, part in machines.items() for block in _shown(part, topic, on[name], several)]
    if len(machines) > 1:
        said = f"Single steps were timed on {len(machines)} machines, which are not compared: each has its own part."
        blocks = [Lines([said]), *blocks]
    elif machines and blocks:
        blocks = [Lines([f"Single steps were timed on {next(iter(machines))}."]), *blocks]
    return blocks


def timed_on(run: StoredRun) -> dict[str, StoredRun]:
    """Split a run by the machine that its steps were timed on: what was timed on one is never beside another's."""
    names = {(one.problem, one.optimizer, one.batch_size): machine(one.device) for one in run.timings}
    found = {}
    for name in dict.fromkeys(names.values()):
        cells = [
            cell
            for cell in run.manifest["cells"]
            if names.get((cell["problem"], cell["optimizer"], cell["batch_size"])) == name
        ]
        keys = {cell["key"] for cell in cells}
        parts = tuple(part for part in run.parts if part.path.stem in keys)
        found[name] = replace(run, manifest={**run.manifest, "cells": cells}, parts=parts, torn=(), missing=0)
    return found


def _title(run: StoredRun, title: str, several: bool) -> str:
    """Leave out the run's name where there is no other."""
    alone = title.removeprefix(f"{run.folder.name}: ")
    return title if several else alone[:1].upper() + alone[1:]


def _shown(run: StoredRun, topic: Topic, on: str, several: bool) -> list[Block]:
    """Make a topic's figures and tables; what there is nothing for is named below the others."""
    blocks: list[Block] = []
    left = []
    for kind, closed in _kinds(topic.figures):
        try:
            variants = _variants(run, kind)
        except ValueError as error:
            why = str(error).removeprefix(f"{run.folder.name}: ")
            left.append(f"No figure of {FIGURES[kind].meaning}{on}: {why}.")
            continue
        meaning = FIGURES[kind].meaning + on
        title = _title(run, f"{run.folder.name}: {meaning}", several)
        blocks.append(Figure(title, variants, FIGURES[kind].caption(run, page_options()), closed))
    for kind, closed in _kinds(topic.tables):
        try:
            table = tables.table(run, kind)
        except ValueError as error:
            left.append(f"No table of {tables.kind(kind).meaning}{on}: {error}.")
            continue
        if table.to_records():
            blocks.append(Shaded(retitled(table, run, several, on), closed=closed))
    return [*blocks, Lines(left)] if blocks and left else blocks


def retitled(table: Table, run: StoredRun, several: bool, on: str = "") -> Table:
    """Head a table without its run's name where there is no other run."""
    return replace(table, title=_title(run, table.title, several) + on)


def _kinds(kinds: Sequence[str]) -> list[tuple[str, bool]]:
    """Read kinds, and whether they are shown on demand."""
    return [(kind.rstrip("*"), kind.endswith("*")) for kind in kinds]


def page_options() -> Options:
    """Say how figures are drawn on a page."""
    return Options(interactive=True, width=WIDTH)


def _variants(run: StoredRun, kind: str) -> list[Variant]:
    """Draw a kind of figure, in each way that a reader may choose, the usual one first."""
    # Seconds belong to one machine.
    axes = AXES if len(timed_on(run)) == 1 else AXES[:-1]
    along = [({"along": x}, {"x": x}) for x in axes] if kind in CURVES else [({}, {})]
    scales = [({"values": name}, {"log": log}) for name, log in SCALES.items()] if kind in SCALED else [({}, {})]
    variants = [
        Variant(_spec(run, kind, replace(page_options(), **axis, **scale)), chosen | named)
        for chosen, axis in along
        for named, scale in scales
    ]
    return _of_each(run, kind, variants) if kind in OF_EACH else variants


def _of_each(run: StoredRun, kind: str, variants: Sequence[Variant]) -> list[Variant]:
    """Let a reader choose an optimizer whose cells are drawn, beside the best of each problem."""
    found = [variant._replace(choice={"of": "the best on each problem"}) for variant in variants]
    names = list(dict.fromkeys(cell["optimizer"] for cell in run.manifest["cells"]))
    for name in names if len(names) > 1 else ():
        # What failed, or has nothing of the kind, has nothing to draw.
        with suppress(ValueError):
            found.append(Variant(_spec(run.only(optimizers=[name]), kind, page_options()), {"of": name}))
    return found


def _spec(run: StoredRun, kind: str, options: Options) -> Mapping[str, Any]:
    return FIGURES[kind].make(run, options)
