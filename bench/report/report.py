"""A page of one run or several: what was found, all tables and figures there are, and where it comes from."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from optbench.analyse.comparison import Rules
from optbench.compare.compare import compare_operands
from optbench.compare.operands import Operand
from optbench.history.entries import History
from optbench.present.table import Table
from optbench.report.history import past
from optbench.report.html.page import Lines, Page, Section, Shaded, format_page
from optbench.report.provenance import commands, machine, provenance
from optbench.report.sections import TOPICS, Block, blocks_of, page_options, retitled, timed_on
from optbench.report.summary import summary
from optbench.request import RequestError
from optbench.store.run import StoredRun

#: Pairs whose sentence is told; of more the tables tell.
MOST_SENTENCES = 4


def report(
    runs: Sequence[StoredRun],
    output: Path,
    say: Callable[[str], None] = lambda text: None,
    history: History | None = None,
) -> str:
    """Write the page of some runs, which is to be kept as `output`, as HTML; `say` hears what is being drawn.

    With what their history holds of them, where there is one.
    """
    told, several = [summary(run) for run in runs], len(runs) > 1
    pairs = list(zip(runs, told, strict=True))
    sections = [section for run, lines in pairs for section in _run_sections(run, lines, several, say, history)]
    page = Page(
        f"optbench: {', '.join(run.folder.name for run in runs)}",
        [f"{run.folder.name}: {lines[0]}" for run, lines in pairs] if several else told[0],
        [*_comparison(runs), *sections, _origin(runs, output)],
    )
    return format_page(page, _vega())


def _vega() -> str:
    """Return the JavaScript that draws figures, of the Vega-Lite that altair writes for."""
    import altair
    import vl_convert

    version = ".".join(altair.SCHEMA_VERSION.split(".")[:2])
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", version)


def _run_sections(
    run: StoredRun, told: Sequence[str], several: bool, say: Callable[[str], None], history: History | None
) -> Iterator[Section]:
    if several:
        yield Section(f"Run {run.folder.name}", [Lines([*told, _where(run)])], level=1)
    notes = [*_failures(run)]
    if notes:
        yield Section("What did not finish", notes)
    if any(part.outcome == "finished" for part in run.parts):
        for topic in TOPICS:
            say(f"drawing {run.folder.name}: {topic.title}")
            blocks = blocks_of(run, topic, several)
            if blocks:
                yield Section(topic.title, blocks)
    before = past(run, history, page_options()) if history else []
    if before:
        yield Section("History", before)


def _where(run: StoredRun) -> str:
    return f"Trained on {machine(run.manifest['device'])}; {run.manifest['suite'].get('dtype')}."


def _failures(run: StoredRun) -> list[Block]:
    rows = [part.record.names | {"message": part.record.message} for part in run.failed]
    table = Table(f"{run.folder.name}: cells that failed", ("problem", "optimizer", "batch_size", "message"), rows)
    lines = [f"{part.path.name} {part.message}: left out; optbench run computes it again." for part in run.torn]
    if run.missing:
        lines.append(f"{run.missing} of {len(run.manifest['cells'])} cells are not finished.")
    return [*([Shaded(table)] if rows else []), *([Lines(lines)] if lines else [])]


def _comparison(runs: Sequence[StoredRun]) -> list[Section]:
    """Compare the first run with each of the others, where they share optimizers; speeds only on one machine."""
    if len(runs) < 2:
        return []
    blocks: list[Block] = []
    for other in runs[1:]:
        operands = [Operand(run.folder.name, run, None) for run in (runs[0], other)]
        try:
            found = compare_operands(operands, Rules(), anyway=True)
        except RequestError as error:
            blocks.append(Lines([f"{runs[0].folder.name} and {other.folder.name} are not compared: {error}."]))
            continue
        few = len(found.sentences) <= MOST_SENTENCES
        blocks += [*([Lines(found.sentences)] if few else []), Shaded(found.overall, ()), Shaded(found.per_problem, ())]
    return [Section("The runs compared", [*blocks, Lines([_speeds(runs)])], level=1)]


def _speeds(runs: Sequence[StoredRun]) -> str:
    found = {run.folder.name: ", ".join(timed_on(run)) for run in runs}
    timed = {name: where for name, where in found.items() if where}
    if not timed:
        return "No speeds are compared: no single steps were timed."
    if len({*timed.values()}) == 1 and len(timed) > 1:
        where = next(iter(timed.values()))
        return (
            f"Speeds were all measured on {where}, but at different times: each run has its own tables of them below."
        )
    said = "; ".join(f"{name} on {where}" for name, where in timed.items())
    return f"Speeds are not compared between runs, since they belong to a machine: {said}. Each run has its own tables."


def _origin(runs: Sequence[StoredRun], output: Path) -> Section:
    tables = [Shaded(retitled(provenance(run), run, len(runs) > 1)) for run in runs]
    said = "The full curves of every trial stay in the store; what is drawn here is thinned. This page comes from:"
    return Section(
        "Where this comes from",
        [*tables, Lines([said]), Lines(commands(runs, output), typed=True)],
        level=1 if len(runs) > 1 else 2,
    )
