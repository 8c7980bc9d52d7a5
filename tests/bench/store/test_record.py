"""What a part says of its cell: on disk the JSON that it was, in the program a record with types."""

import json
from dataclasses import FrozenInstanceError, fields

import pyarrow.parquet as pq
import pytest

from optbench.store.fields import KINDS
from optbench.store.locations import ROOT
from optbench.store.parts import Part, part_path, write_part
from optbench.store.record import CellRecord, CellResults
from optbench.store.schema import trial_rows
from optbench.store.status import Outcome
from optbench.store.timings import StepTimes, Timing

#: What older parts mean: of 4 points x 3 seeds x 20 updates a search stopped none, and nothing was probed.
YOUNGER = {"trial_steps": 240, "higher_is_better": ("accuracy",), "probes": {}, "defaults": {}}
YOUNGER |= {"criteria": ("train_loss",), "space": {}, "selected": {}, "at_once": 0}
#: Of the record itself: a single study chose for all report seeds.
YOUNGER_NAMES = {"studies": 1, "select_studies": 1}
#: Runs of before records had types.
REFERENCES = ("landscape", "leaderboard", "networks", "quick")


def text_of(path):
    """Read what stands in a file of cells, as it stands there."""
    return pq.read_metadata(path).metadata[b"optbench"].decode()


def footers_of(run):
    """Return the footers of a reference run, as they were written."""
    stored = json.loads(text_of(ROOT / "results" / "reference" / run / "reference.parquet"))
    return [cell["footer"] for cell in stored["cells"]]


@pytest.mark.parametrize("run", REFERENCES)
def test_a_stored_footer_is_written_again_byte_for_byte(run):
    stored = footers_of(run)
    assert len(stored) > 50
    for footer in stored:
        # Schema and key stand before a record, in a part as well.
        whole = {name: footer[name] for name in ("schema", "key") if name in footer}
        whole |= CellRecord.from_json(footer).to_json()
        assert json.dumps({name: value for name, value in whole.items() if name in footer}) == json.dumps(footer)
        assert {*whole} - {*footer} <= {*YOUNGER, *YOUNGER_NAMES}


def test_a_failed_cell_is_written_as_it_always_was(tmp_path, record):
    failed = record(batch_size="full", outcome="failed", message="ValueError: boom")
    write_part(tmp_path, "key", trial_rows([]), failed)
    assert text_of(part_path(tmp_path, "key")) == (
        '{"schema": 1, "key": "key", "problem": "bowl", "optimizer": "sgd", "batch_size": "full", "num_points": 1, '
        '"seeds": 1, "report_seeds": 1, "studies": 1, "select_studies": 1, "outcome": "failed", '
        '"message": "ValueError: boom"}'
    )


@pytest.mark.parametrize(("field", "expected"), YOUNGER.items())
def test_a_part_of_before_a_field_reads_as_what_it_meant(record, field, expected):
    footer = record(num_points=4, seeds=3, steps=20).to_json()
    del footer[field]
    assert getattr(CellRecord.from_json(footer).results, field) == expected


@pytest.mark.parametrize(("field", "expected"), YOUNGER_NAMES.items())
def test_a_part_of_before_studies_reads_as_one_study(record, field, expected):
    footer = record(studies=10, select_studies=10).to_json()
    del footer[field]
    assert getattr(CellRecord.from_json(footer), field) == expected


def test_what_a_newer_writer_adds_is_left_out(record):
    footer = record().to_json()
    assert CellRecord.from_json(footer | {"energy_joules": 3.5}) == CellRecord.from_json(footer)


def test_a_failed_cell_has_names_and_a_message_and_no_results(record, tmp_path):
    part = Part(tmp_path, record(outcome="failed", message="ValueError: boom"))
    assert (part.outcome, part.record.problem, part.record.results) == (Outcome.FAILED, "bowl", None)
    with pytest.raises(ValueError, match=r"^bowl / sgd failed: ValueError: boom$"):
        _ = part.results


def test_trials_are_counted_by_what_was_asked(record):
    """Two studies of 3 points on 4 seeds choose by two criteria, and 5 report seeds train what each chose."""
    asked = {"num_points": 3, "seeds": 4, "report_seeds": 5, "studies": 2, "select_studies": 2}
    whole = record(**asked, criteria=["train_loss", "steps_to_target"])
    assert (whole.select_trials, whole.report_trials) == (24, 10)
    failed = record(**asked, outcome="failed", message="boom")
    assert (failed.select_trials, failed.report_trials) == (24, 0)


@pytest.mark.parametrize(
    ("at_edge", "edges"), [([], []), (["b1", "momentum"], ["b1", "momentum"]), (True, ["not named"]), (False, [])]
)
def test_an_edge_is_named_or_said_to_be_there(record, at_edge, edges):
    assert record(at_edge=at_edge).results.edges == edges


@pytest.mark.parametrize("lacking", ["problem", "seeds", "outcome", "best_point", "optimum", "memory_bytes"])
def test_a_footer_without_a_field_is_refused(record, lacking):
    footer = record().to_json()
    del footer[lacking]
    with pytest.raises(KeyError, match=lacking):
        CellRecord.from_json(footer)


@pytest.mark.parametrize(
    ("field", "value"),
    [("problem", 3), ("seeds", "two"), ("best", []), ("optimum", "low"), ("higher_is_better", "accuracy")],
)
def test_a_value_of_another_type_is_refused(record, field, value):
    with pytest.raises(TypeError, match=f"^{field}: "):
        CellRecord.from_json(record().to_json() | {field: value})


def test_records_of_one_name_share_its_text():
    """Of thousands of parts, names are most of what they hold."""
    text = json.dumps(footers_of("quick")[0])
    one, other = (CellRecord.from_json(json.loads(text)) for _ in "ab")
    assert one.problem is other.problem and one.optimizer is other.optimizer
    assert [*map(id, one.results.best)] == [*map(id, other.results.best)]


def test_a_record_stays_as_it_is(record):
    with pytest.raises(FrozenInstanceError):
        record().problem = "hill"


@pytest.mark.parametrize("kind", [CellRecord, CellResults, Timing, StepTimes])
def test_every_field_has_a_type_that_json_is_checked_by(kind):
    nested = ("results", "times")
    assert {field.name for field in fields(kind) if field.type not in KINDS} <= {*nested}
