"""A page of one run or several: a summary, all tables and figures there are, and the commands that make it again."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from optbench.analyse.comparison import Rules
from optbench.compare.compare import compare_operands
from optbench.compare.operands import Operand
from optbench.errors import RequestError
from optbench.history.entries import History
from optbench.present.table import Table
from optbench.report.history import history_blocks, history_page
from optbench.report.html.page import Block, Commands, Page, Paragraphs, Section, TableBlock, format_page
from optbench.report.provenance import commands, machine, provenance
from optbench.report.sections import PAGE_OPTIONS, blocks_of, retitled, sections, timed_on
from optbench.report.summary import summary
from optbench.store.run import StoredRun
from optbench.store.status import Outcome

#: Pairs of optimizers whose comparison is put into sentences; of more only the tables are shown.
MOST_SENTENCES = 4


def report(
    runs: Sequence[StoredRun],
    output: Path,
    on_section: Callable[[str], None] = lambda text: None,
    history: History | None = None,
) -> str:
    """Return the page of some runs as HTML, with their section of `history` where it holds entries of their suites.

    `output` is the page's file, which the commands at its end name; `on_section` is called with the run and title of
    each section that is about to be drawn.
    """
    summaries, several = [summary(run) for run in runs], len(runs) > 1
    pairs = list(zip(runs, summaries, strict=True))
    own = [section for run, texts in pairs for section in _run_sections(run, texts, several, on_section, history)]
    page = Page(
        f"optbench: {', '.join(run.folder.name for run in runs)}",
        [f"{run.folder.name}: {texts[0]}" for run, texts in pairs] if several else summaries[0],
        [*_comparison(runs), *own, _origin(runs, output)],
    )
    return format_page(page, _vega())


def report_history(history: History) -> str:
    """Return the page of a history alone as HTML."""
    return format_page(history_page(history, PAGE_OPTIONS), _vega())


def _vega() -> str:
    """Return the JavaScript that draws figures, of the Vega-Lite that altair writes for."""
    import altair
    import vl_convert

    version = ".".join(altair.SCHEMA_VERSION.split(".")[:2])
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", version)


def _run_sections(
    run: StoredRun,
    summary_texts: Sequence[str],
    several: bool,
    on_section: Callable[[str], None],
    history: History | None,
) -> Iterator[Section]:
    if several:
        yield Section(f"Run {run.folder.name}", [Paragraphs([*summary_texts, _machine_note(run)])], level=1)
    failures = _failures(run)
    if failures:
        yield Section("What did not finish", failures)
    if any(part.outcome == Outcome.FINISHED for part in run.parts):
        for section in sections():
            on_section(f"drawing {run.folder.name}: {section.title}")
            blocks = blocks_of(run, section, several)
            if blocks:
                yield Section(section.title, blocks)
    entries = history_blocks(run, history, PAGE_OPTIONS) if history else []
    if entries:
        yield Section("History", entries)


def _machine_note(run: StoredRun) -> str:
    return f"Trained on {machine(run.manifest['device'])}; {run.manifest['suite'].get('dtype')}."


def _failures(run: StoredRun) -> list[Block]:
    columns = ("problem", "optimizer", "batch_size", "message")
    rows = [part.record.names | {"message": part.record.message} for part in run.failed]
    notes = [f"{part.path.name} {part.message}: left out; optbench run computes it again." for part in run.torn]
    if run.missing:
        notes.append(f"{run.missing} of {len(run.manifest['cells'])} cells are not finished.")
    blocks: list[Block] = []
    if rows:
        blocks.append(TableBlock(Table(f"{run.folder.name}: cells that failed", columns, rows)))
    return [*blocks, Paragraphs(notes)] if notes else blocks


def _comparison(runs: Sequence[StoredRun]) -> list[Section]:
    """Compare the first run with each of the others, if they share optimizers; speeds only on one machine."""
    if len(runs) < 2:
        return []
    blocks = [block for other in runs[1:] for block in _pair_blocks(runs[0], other)]
    return [Section("The runs compared", [*blocks, Paragraphs([_speed_note(runs)])], level=1)]


def _pair_blocks(first: StoredRun, other: StoredRun) -> list[Block]:
    try:
        result = compare_operands([Operand(run.folder.name, run, None) for run in (first, other)], Rules(), anyway=True)
    except RequestError as error:
        return [Paragraphs([f"{first.folder.name} and {other.folder.name} are not compared: {error}."])]
    tables: list[Block] = [TableBlock(result.overall, ()), TableBlock(result.per_problem, ())]
    return [Paragraphs(result.sentences), *tables] if len(result.sentences) <= MOST_SENTENCES else tables


def _speed_note(runs: Sequence[StoredRun]) -> str:
    machines = {run.folder.name: names for run in runs if (names := ", ".join(timed_on(run)))}
    if not machines:
        return "No speeds are compared: no single steps were timed."
    if len({*machines.values()}) == 1 and len(machines) > 1:
        shared = next(iter(machines.values()))
        return (
            f"Speeds were all measured on {shared}, but at different times: each run has its own tables of them below."
        )
    pairs = "; ".join(f"{name} on {names}" for name, names in machines.items())
    return (
        f"Speeds are not compared between runs, since they belong to a machine: {pairs}. Each run has its own tables."
    )


def _origin(runs: Sequence[StoredRun], output: Path) -> Section:
    several = len(runs) > 1
    tables = [TableBlock(retitled(provenance(run), run, several)) for run in runs]
    note = "The full curves of every trial stay in the store; what is drawn here is thinned. This page comes from:"
    blocks = [*tables, Paragraphs([note]), Commands(commands(runs, output))]
    return Section("Where this comes from", blocks, level=1 if several else 2)
