"""Words that several commands share: of a request, and of what is looked at."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal

from cyclopts import Parameter, Token

from optbench.sweep.criteria import CRITERIA
from optbench.sweep.probes import PROBES


def whole(kind: Any, tokens: Sequence[Token]) -> int:
    """Read an integer as Python does: cyclopts itself rounds 1.5 to 2."""
    (token,) = tokens
    try:
        return int(token.value)
    except ValueError:
        raise ValueError(f"{token.value!r} is not an integer") from None


#: A value may begin with a minus: it is refused by what reads it, which can say what is accepted.
Text = Annotated[str | None, Parameter(allow_leading_hyphen=True)]
Count = Annotated[int | None, Parameter(allow_leading_hyphen=True, converter=whole)]
#: Show every column, however many characters that takes.
Wide = Annotated[bool, Parameter(negative=(), help="Show every column, however wide the terminal.")]
Whole = Annotated[int, Parameter(allow_leading_hyphen=True, converter=whole)]
Seconds = Annotated[float | None, Parameter(allow_leading_hyphen=True)]
ResultsFolder = Annotated[str, Parameter(help="Folder of all runs, or a URL such as s3://bucket/results.")]


def alternatives(names: Sequence[str]) -> str:
    """Write names as a help text lists them: a, b or c."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class View:
    """Say which part of the curves is looked at, in the words of `Slice`."""

    at_step: Count = None
    """Show results at this step: at the last record at or before it."""
    target: float | None = None
    """Train loss to reach, in place of the problem's own target."""
    seeds: Count = None
    """Use so many seeds alone, the first ones."""

    def words(self) -> dict[str, Any]:
        """Return the fields of a `Slice` by name."""
        return asdict(self)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Only:
    """Say which cells are looked at."""

    problem: Annotated[list[str] | None, Parameter(alias="-p")] = None
    """Show this problem alone: its label, its family, or a pattern; repeat for several."""
    optimizer: Annotated[list[str] | None, Parameter(alias="-o")] = None
    """Show this optimizer alone; repeat for several."""

    def words(self) -> dict[str, Any]:
        """Return the parameters of `StoredRun.only` by name."""
        return {"problems": self.problem or (), "optimizers": self.optimizer or ()}


PROBE_HELP = (
    f"Measure this of parameters beside the loss: {alternatives([*PROBES])}; repeat for several, or a comma list."
)


SELECT_HELP = (
    f"What hyperparameters are chosen by, the main criterion first: {alternatives([*CRITERIA])}. Where not given, "
    "validation_loss if the problem has a validation split, else train_loss; settings with the lowest train_loss and "
    "steps_to_target are chosen besides, for the tables of those."
)


RATE_HELP = (
    "Numbers to try: a comma list of numbers and of start:stop:count, which is geometric, as in 1e-4:1:5; or default:N "
    "for each optimizer's own range in N values. default:5 where not given."
)


DECAY_HELP = (
    "Numbers to try, written as those of --learning-rate; default:N is 0 and each optimizer's own range in N - 1 "
    "values. 0 where not given."
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """Say what to run."""

    problem: Annotated[list[str] | None, Parameter(alias="-p")] = None
    """Problem, as in quadratic[condition=1e4,dim=1000] or ./file.py:make; repeat for several; patterns work."""
    optimizer: Annotated[list[str] | None, Parameter(alias="-o")] = None
    """Optimizer, as in adamw[b1=0.8:0.95:3], 'adam*' or ./file.py:make; repeat for several."""
    learning_rate: Annotated[Text, Parameter(help=RATE_HELP)] = None
    weight_decay: Annotated[Text, Parameter(help=DECAY_HELP)] = None
    like: str | None = None
    """Tune plug-ins that name no ranges over those of this optimizer, as in adamw."""
    batch_size: Text = None
    """Comma list of integers and full. The problem's own where not given."""
    schedule: Text = None
    """Comma list of constant (where not given), cosine, linear, wsd; with a warmup fraction: cosine[warmup=0.1]."""
    steps: Count = None
    """Updates, the same for every batch size. The problem's own number where not given."""
    epochs: Annotated[float | None, Parameter(allow_leading_hyphen=True)] = None
    """Passes over the data, the same for every batch size; in place of --steps."""
    seeds: Count = None
    """Seeds by which each study chooses its settings. 2 where not given."""
    report_seeds: Count = None
    """Fresh seeds that results are reported on, one a study; 0 leaves this phase out. 10 where not given."""
    studies: Count = None
    """Independent tunings, each with learning rates and seeds of its own: as many as report seeds, or 1."""
    select_by: Annotated[list[str] | None, Parameter(help=SELECT_HELP)] = None
    records: Count = None
    """Records along each curve. 50 where not given."""
    record_every: Count = None
    """Steps between records; in place of --records."""
    dtype: Literal["float32", "float64", "bfloat16"] | None = None
    """Precision; bfloat16 is mixed precision, for networks. float32 where not given."""
    decay: Literal["decoupled", "coupled"] | None = None
    """Weight decay beside the update as in AdamW (decoupled, the default), or weight_decay/2 |x|^2 in the loss."""
    probe: Annotated[list[str] | None, Parameter(help=PROBE_HELP)] = None
    device: Literal["cpu", "gpu"] | None = None
    """Device; jax's own choice where not given."""
    seed: Count = None
    """Base of all seeds. 0 where not given."""
    name: str | None = None
    """Name of the run's folder. The suite's, with a digest of what is asked for, where not given."""
    results: str = "results"
    """Folder of all runs, or a URL such as s3://bucket/results."""
    compile_cache: bool | None = None
    """Keep compiled programs in the user's cache folder: yes, but for throughput, which times compilation."""

    def where(self) -> dict[str, Any]:
        """Return where a run is kept and what it runs on, as `run`, `tune` and `plan` take it."""
        compile_cache = self.compile_cache is not False
        return {"results": self.results, "name": self.name, "device": self.device, "compile_cache": compile_cache}

    def overrides(self) -> dict[str, Any]:
        """Return what is given of a suite's own words."""
        from optbench.request import Suite

        # Entries have words of their own, and a run's folder has another name than its suite.
        words = Suite.model_fields.keys() & {field.name for field in fields(self)} - {"name"}
        values = {word: getattr(self, word) for word in words}
        return values | {"problems": self.problem, "optimizers": self.optimizer, "probes": self.probe}
