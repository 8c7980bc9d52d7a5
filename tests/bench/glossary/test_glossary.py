"""Every column that is printed has an entry, and the page of the documentation is what the entries say."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import optbench
from optbench import tables
from optbench.analyse import comparison, costs
from optbench.analyse.outcomes import Slice, own_metrics
from optbench.glossary import SUBJECTS, all_entries, look_up, near
from optbench.glossary.pages import WIDTH, entry_markdown, entry_text, list_text, page
from optbench.history import changes, schema
from optbench.history.entries import read_history, write_entry
from optbench.history.tables import compare, list_entries, show
from optbench.store.schema import METRICS
from optbench.sweep.criteria import CRITERIA
from optbench.sweep.probes import PROBES

ROOT = Path(__file__).parents[3]
TRIED = {0.1: [[3.0, 2.5, 2.0]], 0.2: [[3.0, 2.0, 1.0]], 0.4: [[3.0, 1.0, 0.5]]}
#: What tables are called where an entry holds in some of them alone.
PLACES = {
    *(*tables.names(), "compare", "tune", "plan", "doctor", "report", "throughput --update-only"),
    *(f"list {name}" for name in ("problems", "optimizers", "suites", "runs")),
    *(f"history {name}" for name in ("list", "show", "compare", "check", "backfill")),
}


def unexplained(columns: Iterable[str], table: str = "") -> list[str]:
    return [name for name in columns if not look_up(name, table)]


def literal_columns(text: str) -> Iterator[str]:
    """Yield the strings that a module's tables have for columns, also by way of the module's own names."""
    tree = ast.parse(text)
    values: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                values.setdefault(ast.unparse(target), []).append(node.value)
        elif isinstance(node, ast.AugAssign):
            values.setdefault(ast.unparse(node.target), []).append(node.value)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Table"]
    left, seen = [call.args[1] for call in calls if len(call.args) > 1], set()
    while left:
        for node in ast.walk(left.pop()):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
                yield node.value
            elif isinstance(node, ast.Name) and node.id not in seen:
                seen.add(node.id)
                left += values.get(node.id, [])


@pytest.fixture
def study(handmade, tmp_path):
    """Write a run of two optimizers at two batch sizes, with a metric, a probe and a hyperparameter of their own."""
    of = {"b1": 0.9}
    for optimizer in ("sgd", "adam"):
        for size in (4, 8):
            handmade(
                optimizer,
                [[3.0, 2.0, 0.5]],
                tried=TRIED,
                points={point: {"hyperparameters": of} for point in range(3)},
                trial={"train_angle": [0.3, 0.2, 0.1], "gradient_norm": [3.0, 2.0, 1.0]},
                batch_size=size,
                examples_per_step=size,
                probes={"gradient_norm": None},
            )
    return optbench.load("handmade", tmp_path / "results")


@pytest.mark.parametrize("kind", tables.names())
def test_every_column_of_every_kind_of_table_is_explained(study, kind):
    columns, rows = tables.kind(kind).make(study.stored, Slice(by="steps") if kind == "ert" else Slice())
    # A problem's own metrics and an optimizer's own hyperparameters are explained where these are.
    own = {"b1", *(name for part in study.parts for name in own_metrics(part) if name not in PROBES)}
    assert own == {"b1", "train_angle"}
    # The columns of a matrix are problems.
    own |= {name for name in columns if kind == "matrix" and name.startswith("bowl")}
    assert unexplained([name for name in columns if name not in own], kind) == []
    assert columns and (kind in ("throughput", "time-to-target") or any(True for _ in rows))


def test_a_column_without_an_entry_is_noticed():
    assert unexplained(["gap", "gap_low", "best_of_16", "unheard_of"]) == ["unheard_of"]
    assert unexplained(["gap", "settings", "at_once"], "profile") == ["settings"]
    text = (
        'MORE = ("x",)\ncolumns = ("a", *MORE)\ncolumns += ("b",)\nTable("t", columns, ["no"])\nTable("t", ("c",), [])'
    )
    assert sorted(literal_columns(text)) == ["a", "b", "c", "x"]


@pytest.mark.parametrize("columns", [comparison.COLUMNS, comparison.SUMMARY], ids=["problems", "overall"])
def test_every_column_of_a_comparison_is_explained(columns):
    assert unexplained(columns, "compare") == []


def test_every_column_of_a_history_is_explained(about, quality, tmp_path):
    for number, cost in enumerate((0.1, 0.2)):
        write_entry(str(tmp_path), about(number), [quality([cost] * 3)])
    history = read_history(str(tmp_path))
    series, values = show(history, {}, None)
    margins = changes.Margins()
    shown = {
        "history list": [list_entries(history)],
        "history show": [series, values],
        "history compare": [compare(history, history.entries[:1], history.entries[1:], margins)],
    }
    assert {place: [unexplained(table.columns, place) for table in group] for place, group in shown.items()} == {
        "history list": [[]],
        "history show": [[], []],
        "history compare": [[]],
    }


def test_every_column_that_a_module_writes_down_is_explained():
    columns = {
        str(path.relative_to(ROOT / "bench")): [*literal_columns(path.read_text())]
        for path in sorted((ROOT / "bench").rglob("*.py"))
        if "templates" not in path.parts and "html" not in path.parts
    }
    runner = ("estimate.py", "time_updates.py", "recommend/recommendation.py", "doctor.py")
    written = {name for name, names in columns.items() if names}
    assert {*(f"runner/{name}" for name in runner), "cli/list.py", "history/verdict.py"} <= written
    assert {name: unexplained(names) for name, names in columns.items() if unexplained(names)} == {}


def test_every_measure_criterion_metric_and_probe_is_explained():
    names = {*schema.MEASURES, *CRITERIA, *METRICS, *costs.METRICS, *PROBES}
    assert unexplained(names) == []


@pytest.mark.parametrize(
    "words",
    [
        *(("at_edge", "at-edge", "edge", "AT EDGE"), ("report_seed", "report seed", "report-seeds")),
        *(("worse than the start",), ("diverged",), ("worse", "better"), ("coupled", "L2"), ("train_loss_low",)),
        *(("validation split", "validation"), ("trial", "trials"), ("point", "configuration"), ("cell",)),
    ],
    ids=lambda words: words[0],
)
def test_a_word_is_known_however_it_is_written(words):
    entries = [look_up(word) for word in words]
    assert all(set(entries[0]) & set(each) for each in entries)


def test_a_word_of_several_tables_has_the_meaning_of_each():
    assert {entry.tables for entry in look_up("ratio")} == {
        *(("time-to-target",), ("defaults",), ("history show",), ("history compare", "history check"))
    }
    (entry,) = look_up("ratio", "defaults")
    assert entry.formula.startswith("nearest / tuned")
    assert look_up("ratio", "profile") == [] == look_up("unheard_of")


def test_an_unknown_word_has_the_nearest_ones():
    assert near("diverg")[0] in ("diverged", "divergence") and "at_edge" in near("at_egde")
    assert near("seconds_to")[:3] and all(look_up(word) for word in near("seconds_to"))
    assert near("zzzz") == []


def test_entries_hold_together():
    entries = all_entries()
    names = [(entry.word, table) for entry in entries for table in entry.tables or ("",)]
    assert len(names) == len(set(names)) > 150
    assert [entry.word for entry in entries if not entry.meaning.endswith(".")] == []
    assert {word for entry in entries for word in entry.see if not look_up(word)} == set()
    assert {word for entry in entries for word in entry.see if word == entry.word} == set()
    assert {table for entry in entries for table in entry.tables} - PLACES == set()
    assert all(entry.word == entry.word.lower().replace(" ", "_") for entry in entries)


def test_text_for_a_terminal_has_eighty_columns():
    lines = [line for entry in all_entries() for line in entry_text(entry).splitlines()] + list_text().splitlines()
    assert max(map(len, lines)) <= WIDTH == 80
    assert {entry.word for entry in all_entries()} <= {*list_text().replace(",", " ").split()}


def test_an_entry_says_its_unit_its_formula_and_what_to_read_next():
    (entry,) = look_up("gap")
    assert entry_text(entry).splitlines()[0] == "gap"
    assert "  unit:       loss" in entry_text(entry) and "  computed:   train_loss - optimum" in entry_text(entry)
    assert "  also:       suboptimality" in entry_text(entry) and "  see:        optimum, train_loss" in entry_text(
        entry
    )
    assert entry_markdown(entry).startswith("**`gap`**: Suboptimality") and "train\\_loss - optimum" in entry_markdown(
        entry
    )


def test_the_page_is_what_the_entries_say():
    written = (ROOT / "docs" / "glossary.md").read_text()
    assert written == page() + "\n", "optbench explain --format github > docs/glossary.md"
    assert all(f"## {subject}\n" in written for subject in SUBJECTS)
