"""What a part says of its cell, typed: on disk it is the JSON in the part's footer, schema version 1."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from optbench.store.fields import plain_record, read_record
from optbench.store.status import Outcome

#: The hyperparameter at an edge in parts of older runs, which don't name it.
UNNAMED = "not named"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResults:
    """What training a cell gave and took. Seconds are of its batched sweeps, not of the optimizer."""

    #: Number of the point that is chosen by the main criterion over the selection seeds of all studies.
    best_point: int
    #: Hyperparameter -> value of that point, and its schedule where several were swept.
    best: Mapping[str, float | str]
    #: Hyperparameters of which that point has the lowest or highest value of those swept; parts of older runs hold
    #: whether there is one.
    at_edge: tuple[str, ...] | bool
    #: The lowest train loss there is; None where it is not known.
    optimum: float | None
    #: Metric -> value that counts as solved.
    targets: Mapping[str, float]
    #: Metrics, without their split, of which more is better. Parts of older runs lack it.
    higher_is_better: tuple[str, ...] = ("accuracy",)
    #: Probe -> whether more of it is better; None where neither more nor less is. Parts of older runs lack it.
    probes: Mapping[str, bool | None] = field(default_factory=dict)
    #: Hyperparameter -> what the optimizer has without tuning, of those swept. Parts of older runs lack it.
    defaults: Mapping[str, float] = field(default_factory=dict)
    #: What settings were chosen by, the main criterion first: of each study the report trials have one point for each,
    #: in this order. Parts of older runs, which chose by the median train loss, lack it.
    criteria: tuple[str, ...] = ("train_loss",)
    #: Axis of the points -> the values that were tried, as text. Parts of older runs lack it.
    space: Mapping[str, str] = field(default_factory=dict)
    #: Criterion -> the value that the settings of each study were chosen by, the median over studies.
    selected: Mapping[str, float] = field(default_factory=dict)
    #: Updates of one trial.
    steps: int
    #: Updates between two records of the curves.
    record_every: int
    #: Updates of all selection trials: fewer than they might have made where a search stopped some. Parts of older
    #: runs, which stopped none, lack it.
    trial_steps: int
    examples_per_step: int
    trace_seconds: float
    compile_seconds: float
    select_seconds: float
    report_seconds: float
    #: Of the compiled sweep, on each device.
    memory_bytes: int
    #: Blocks of points that ran one after another to fit into memory.
    parts: int
    #: Points of a seed that its program trained at once, 0 for all trials. Parts of older runs lack it.
    at_once: int = 0

    @property
    def edges(self) -> list[str]:
        """Return the hyperparameters of which the best point lies at an end of its grid."""
        if isinstance(self.at_edge, bool):
            return [UNNAMED] if self.at_edge else []
        return [*self.at_edge]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRecord:
    """What a part says of its cell: its names, what was asked of it, and its results or why there are none."""

    problem: str
    optimizer: str
    #: Examples a batch, or "full"; None where the problem could not be made, which may have one of its own.
    batch_size: int | str | None
    num_points: int
    #: Selection seeds of each study, and report seeds of all.
    seeds: int
    report_seeds: int
    #: Independent tunings, that chose their own settings. Parts of older runs, of one study, lack it.
    studies: int = 1
    #: Those that trained selection trials: one where there was nothing to choose.
    select_studies: int = 1
    #: None where the cell failed.
    results: CellResults | None = None
    #: Why it failed.
    message: str = ""

    @property
    def select_trials(self) -> int:
        """Return the number of selection trials."""
        return self.num_points * self.seeds * self.select_studies

    @property
    def report_trials(self) -> int:
        """Return the number of report trials: each seed trains the settings of each criterion."""
        return self.report_seeds * len(self.results.criteria) if self.results else 0

    @property
    def outcome(self) -> Outcome:
        """Return whether the cell finished or failed."""
        return Outcome.FAILED if self.results is None else Outcome.FINISHED

    @property
    def names(self) -> dict[str, Any]:
        """Return the cell's names as rows of tables have them: problem, optimizer, batch_size."""
        return {"problem": self.problem, "optimizer": self.optimizer, "batch_size": self.batch_size}

    def to_json(self) -> dict[str, Any]:
        """Return what stands in a part's footer, in its order."""
        fields = plain_record(self)
        results, message = fields.pop("results"), fields.pop("message")
        outcome_fields = {"message": message} if results is None else plain_record(results)
        return fields | {"outcome": self.outcome} | outcome_fields

    @classmethod
    def from_json(cls, footer: Mapping[str, Any]) -> "CellRecord":
        """Return the record of a footer; what a newer writer added is left out.

        Raises KeyError for a field that is lacking, ValueError for an unknown outcome, TypeError for a value of another
        type.
        """
        if footer["outcome"] == Outcome.FAILED:
            return read_record(cls, footer, results=None)
        if footer["outcome"] != Outcome.FINISHED:
            raise ValueError(f"no outcome of a cell: {footer['outcome']!r}")
        results = read_record(CellResults, {"trial_steps": 0, **footer})
        record = read_record(cls, footer, results=results, message="")
        if "trial_steps" in footer:
            return record
        steps = record.num_points * record.seeds * results.steps
        return replace(record, results=replace(results, trial_steps=steps))
