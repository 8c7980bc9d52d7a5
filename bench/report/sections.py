"""The sections of a run's page, and the figures and tables that stand in each: those whose entries name it."""

from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from optbench import figures, tables
from optbench.analyse.outcomes import Slice, counted_alike
from optbench.figures.figure import Figure, Options
from optbench.present.table import Table
from optbench.report.html.page import Block, FigureBlock, Paragraphs, TableBlock, Variant
from optbench.report.provenance import machine
from optbench.store.run import StoredRun

#: Width of a figure that has the page for itself.
WIDTH = 1240
#: How figures are drawn on a page.
PAGE_OPTIONS = Options(interactive=True, width=WIDTH)
#: What a figure of single cells shows first, where a reader may choose an optimizer.
BEST_CELLS = "the best on each problem"


class ReportSection(NamedTuple):
    """A section of a run's page. Its figures and tables are those whose entries name its title, in their order."""

    title: str
    #: It is about seconds, which belong to one machine.
    timed: bool = False
    #: It sums up over problems, and needs several.
    over_problems: bool = False


#: In their order. A title that only an entry names is a section after these.
SECTIONS = (
    ReportSection("Which optimizer is best", over_problems=True),
    ReportSection("Results"),
    ReportSection("Over all problems", over_problems=True),
    ReportSection("Targets"),
    ReportSection("Learning rates"),
    ReportSection("Tuning"),
    ReportSection("Every trial of the grids"),
    ReportSection("Batch sizes"),
    ReportSection("Time to target", timed=True),
    ReportSection("What a step costs", timed=True),
)


def sections() -> tuple[ReportSection, ...]:
    """Return the sections in the order of the page, last those that only entries name."""
    titles = [figures.kind(name).section for name in figures.names()]
    titles += [tables.kind(name).section for name in tables.names()]
    listed = {section.title for section in SECTIONS}
    further = dict.fromkeys(title for title in titles if title is not None and title not in listed)
    return (*SECTIONS, *map(ReportSection, further))


def blocks_of(run: StoredRun, section: ReportSection, several: bool) -> list[Block]:
    """Make the blocks of a section; what is about seconds for each machine by itself.

    `several`: the page shows several runs, so titles name theirs.
    """
    if section.over_problems and len({cell["problem"] for cell in run.manifest["cells"]}) < 2:
        return []
    if not section.timed:
        return _blocks(run, section, "", several)
    machines = timed_on(run)
    suffixes = {name: f" (on {name})" if len(machines) > 1 else "" for name in machines}
    blocks = [block for name, part in machines.items() for block in _blocks(part, section, suffixes[name], several)]
    return [Paragraphs([_machines_note(list(machines))]), *blocks] if blocks else []


def _machines_note(machines: list[str]) -> str:
    if len(machines) == 1:
        return f"Single steps were timed on {machines[0]}."
    return f"Single steps were timed on {len(machines)} machines, which are not compared: each has its own part."


def timed_on(run: StoredRun) -> dict[str, StoredRun]:
    """Split a run by the machine that its steps were timed on: seconds of one never stand beside another's."""
    machines = {(timing.problem, timing.optimizer, timing.batch_size): machine(timing.device) for timing in run.timings}
    runs = {}
    for name in dict.fromkeys(machines.values()):
        cells = [
            cell
            for cell in run.manifest["cells"]
            if machines.get((cell["problem"], cell["optimizer"], cell["batch_size"])) == name
        ]
        runs[name] = replace(run.of_cells(cells), torn=(), missing=0)
    return runs


def _blocks(run: StoredRun, section: ReportSection, suffix: str, several: bool) -> list[Block]:
    """Make a section's figures and tables, and below them the reasons why others are lacking."""
    blocks: list[Block] = []
    reasons = []
    for name in figures.names():
        if figures.kind(name).section == section.title:
            try:
                blocks.append(_figure_block(run, name, suffix, several))
            except ValueError as error:
                reason = str(error).removeprefix(f"{run.folder.name}: ")
                reasons.append(f"No figure of {figures.kind(name).meaning}{suffix}: {reason}.")
    for name in tables.names():
        if tables.kind(name).section == section.title:
            try:
                table = tables.table(run, name)
            except ValueError as error:
                reasons.append(f"No table of {tables.kind(name).meaning}{suffix}: {error}.")
                continue
            if table.to_records():
                closed = not tables.kind(name).open_in_report
                blocks.append(TableBlock(retitled(table, run, several, suffix), closed=closed))
    return [*blocks, Paragraphs(reasons)] if blocks and reasons else blocks


def _figure_block(run: StoredRun, name: str, suffix: str, several: bool) -> FigureBlock:
    figure = figures.kind(name)
    title = _title(run, f"{run.folder.name}: {figure.meaning}{suffix}", several)
    variants = _variants(run, figure)
    return FigureBlock(title, variants, figure.caption(run, PAGE_OPTIONS), closed=not figure.open_in_report)


def retitled(table: Table, run: StoredRun, several: bool, suffix: str = "") -> Table:
    """Leave the run's name out of a table's title on a page of one run."""
    return replace(table, title=_title(run, table.title, several) + suffix)


def _title(run: StoredRun, title: str, several: bool) -> str:
    alone = title.removeprefix(f"{run.folder.name}: ")
    return title if several else alone[:1].upper() + alone[1:]


def _variants(run: StoredRun, figure: Figure) -> list[Variant]:
    """Draw a figure in each way that a reader may choose, the usual one first. Raises ValueError as drawing does."""
    views = _views(run, figure)
    if not figure.per_optimizer:
        return [Variant(figure.draw(run, options), choice) for choice, options in views]
    variants = [Variant(figure.draw(run, options), {"of": BEST_CELLS} | choice) for choice, options in views]
    names = list(dict.fromkeys(cell["optimizer"] for cell in run.manifest["cells"]))
    for name in names if len(names) > 1 else ():
        # An optimizer whose cells failed, or have nothing of the kind, is no choice.
        with suppress(ValueError):
            cells = run.only(optimizers=[name])
            variants += [Variant(figure.draw(cells, options), {"of": name} | choice) for choice, options in views]
    return variants


def _views(run: StoredRun, figure: Figure) -> list[tuple[dict[str, str], Options]]:
    """Return a reader's choices of axis and scale, the usual ones first, each with the options that draw it."""
    # Seconds belong to one machine.
    axes = [x for x in figure.axes if x != "seconds" or len(timed_on(run)) == 1]
    along = [({"along": x}, {"x": x}) for x in axes] or [({}, {})]
    scales = [({"values": name}, {"log": log}) for name, log in figure.scales.items()] or [({}, {})]
    view = Slice(every_step=counted_alike(run.parts))
    return [(axis | scale, replace(PAGE_OPTIONS, view=view, **x, **log)) for axis, x in along for scale, log in scales]
