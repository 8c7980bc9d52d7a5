"""A suite: problems, optimizers, grids and budgets in the words of the command line."""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_serializer,
)

from optbench.errors import RequestError, nearest, quote
from optbench.request.catalogue import Catalogue, match_optimizers, match_problems
from optbench.request.grammar import DefaultRange, format_value, parse_spec, parse_values
from optbench.request.grid import check_rates, parse_batch_sizes
from optbench.request.schedule import parse_schedules
from optbench.request.suite_paths import from_folder

_FOLDER = Path(__file__).parent / "suites"
#: Words that a request without them lacks in its text, by which it is named.
_LATER = ("probes", "studies", "select_by", "like")
_RIVALS = {"steps": "epochs", "epochs": "steps", "records": "record_every", "record_every": "records"}


def plain(value: Any) -> Any:
    """Return a value with Python's own numbers and lists in place of numpy's, jax's and pandas', at any depth."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range) and not hasattr(value, "_fields"):
        return [plain(item) for item in value]
    array: Any = value
    if not hasattr(array, "dtype") or not hasattr(array, "tolist"):
        return value
    if getattr(array, "ndim", 0):
        return [plain(item) for item in array]
    number = array.tolist()
    # As it is written: 0.1 in float32 is 0.1, and not 0.10000000149.
    return float(str(array)) if isinstance(number, float) and array.dtype.itemsize < 8 else number


def _text(value: Any) -> str:
    """Return a number, a text or a list of them as the text that the grammar reads. Raises RequestError for others."""
    items = value if isinstance(value, list | tuple) else [value]
    if not items or not all(isinstance(item, str | int | float | DefaultRange) for item in items):
        raise RequestError("takes a number, a text, or a list of them")
    return ",".join(item.strip() if isinstance(item, str) else format_value(item) for item in items)


def _rates(text: str, info: ValidationInfo) -> str:
    check_rates(parse_values(text), str(info.field_name))
    return text


def _batch_sizes(text: str) -> str:
    parse_batch_sizes(text)
    return text


def _entries(value: Any) -> Any:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple):
        return value
    return [{"spec": item} if isinstance(item, str) else item for item in items]


def _problem(text: str, info: ValidationInfo) -> str:
    spec = parse_spec(text)
    # Plug-ins (they have a colon) are loaded only after the suite is read.
    if isinstance(info.context, Catalogue) and ":" not in spec.name:
        match_problems(spec, info.context.problems)
    return text.strip()


def _optimizer(text: str, info: ValidationInfo) -> str:
    spec = parse_spec(text)
    if isinstance(info.context, Catalogue) and ":" not in spec.name:
        match_optimizers(spec, info.context.optimizers)
    return text.strip()


def _excludes(rival: str) -> Callable[[Any, ValidationInfo], Any]:
    def check(value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get(rival) is not None:
            raise RequestError(f"{rival} is given too, and only one of them may be")
        return value

    return check


_Count = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
_Epochs = Annotated[float, Field(strict=True, gt=0, le=1e9)]
_Rates = Annotated[str, BeforeValidator(_text), AfterValidator(_rates)]
_Schedules = Annotated[tuple[str, ...], BeforeValidator(lambda value: parse_schedules(_text(value)))]
_BatchSizes = Annotated[str, BeforeValidator(_text), AfterValidator(_batch_sizes)]


def _names(value: Any) -> tuple[str, ...]:
    """Bring a text or a list of texts, each a comma list, to names without their repeats, in one order."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise RequestError("takes a name or a list of them")
    return tuple(sorted({name.strip() for item in items for name in item.split(",")}))


def _criteria(value: Any) -> tuple[str, ...]:
    """Bring a text or a list of texts, each a comma list, to names without their repeats, in the order given."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise RequestError("takes a name or a list of them")
    return tuple(dict.fromkeys(name.strip() for item in items for name in item.split(",")))


def _studies(value: int | None, info: ValidationInfo) -> int | None:
    num = info.data.get("report_seeds", 0)
    if value not in (None, 1, num):
        raise RequestError(f"{value} is not accepted; accepted: 1, or as many as report seeds ({num})")
    return value


class ProblemEntry(BaseModel):
    """One problem, and the settings that it overrides of its suite."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    spec: Annotated[str, AfterValidator(_problem)]
    batch_size: _BatchSizes | None = None
    steps: _Count | None = None
    epochs: Annotated[_Epochs | None, AfterValidator(_excludes("steps"))] = None


class OptimizerEntry(BaseModel):
    """One optimizer, and the settings that it overrides of its suite."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    spec: Annotated[str, AfterValidator(_optimizer)]
    learning_rate: _Rates | None = None
    weight_decay: _Rates | None = None
    schedule: _Schedules | None = None
    #: The optimizer whose range of learning rates it is tuned over, where it is a plug-in without one of its own.
    like: str | None = None
    #: The batch sizes of the problems that it is trained at; None: all of them.
    batch_size: _BatchSizes | None = None

    @model_serializer(mode="wrap")
    def _without_empty(self, handler: Callable[["OptimizerEntry"], dict[str, Any]]) -> dict[str, Any]:
        """Leave out the batch size that is not asked for: a request is named by a digest of its text."""
        return {word: value for word, value in handler(self).items() if word != "batch_size" or value}


class Suite(BaseModel):
    """A request as a person writes it; None stands for the problem's own value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = "custom"
    description: str = ""
    problems: Annotated[tuple[ProblemEntry, ...], BeforeValidator(_entries), Field(min_length=1)]
    optimizers: Annotated[tuple[OptimizerEntry, ...], BeforeValidator(_entries), Field(min_length=1)]
    learning_rate: _Rates = "default:5"
    weight_decay: _Rates = "0"
    batch_size: _BatchSizes | None = None
    schedule: _Schedules = ("constant",)
    #: The optimizer whose range of learning rates plug-ins without one of their own are tuned over.
    like: str | None = None
    steps: _Count | None = None
    epochs: Annotated[_Epochs | None, AfterValidator(_excludes("steps"))] = None
    seeds: _Count = 2
    report_seeds: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)] = 10
    #: Independent tunings, each with its own learning rates and seeds: one a report seed where None, or 1.
    studies: Annotated[_Count | None, AfterValidator(_studies)] = None
    #: What settings are chosen by, the main criterion first; none: validation loss where there are such rows, else the
    #: objective. Who plans knows the names.
    select_by: Annotated[tuple[str, ...], BeforeValidator(_criteria)] = ()
    #: The number of records of a run; 50 unless `record_every` sets the steps between two.
    records: _Count | None = None
    record_every: Annotated[_Count | None, AfterValidator(_excludes("records"))] = None
    dtype: Literal["float32", "float64", "bfloat16"] = "float32"
    decay: Literal["decoupled", "coupled"] = "decoupled"
    seed: Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)] = 0
    #: What is measured of parameters beside the loss; who plans knows the names.
    probes: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()

    @model_serializer(mode="wrap")
    def _without_empty(self, handler: Callable[["Suite"], dict[str, Any]]) -> dict[str, Any]:
        """Leave out what is not asked for: a request is named by a digest of its text."""
        return {word: value for word, value in handler(self).items() if word not in _LATER or value}


def parse_suite(values: Mapping[str, Any], origin: str = "", catalogue: Catalogue | None = None) -> Suite:
    """Return a suite of validated values; with a catalogue, unknown names are faults too.

    Raises RequestError that lists all faults.
    """
    try:
        return Suite.model_validate(plain(values), context=catalogue)
    except ValidationError as error:
        faults = "; ".join(dict.fromkeys(map(_fault, error.errors(include_url=False))))
        raise RequestError(f"{origin}: {faults}" if origin else faults) from None


def load_suite(name_or_path: str | Path, catalogue: Catalogue | None = None) -> Suite:
    """Return a packaged suite by its name, or that of a TOML file by its path, whose own paths count from its folder.

    Raises RequestError for an unknown name, an unreadable file and invalid values.
    """
    text = str(name_or_path)
    packaged = {path.stem: path for path in sorted(_FOLDER.glob("*.toml"))}
    is_path = text.endswith(".toml") or "/" in text or "\\" in text
    if not is_path and text not in packaged:
        raise RequestError(f"unknown suite {quote(text)}{nearest(text, packaged)}; or a path to a .toml file")
    path = Path(text).expanduser() if is_path else packaged[text]
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RequestError(f"suite {quote(text)}: {error.strerror or 'cannot be read'}") from None
    except (ValueError, RecursionError) as error:
        raise RequestError(f"suite {quote(text)} is not valid TOML: {' '.join(str(error).split())}") from None
    if is_path:
        values = from_folder(values, path.parent)
    return parse_suite({"name": path.stem} | values, f"suite {quote(text)}", catalogue)


def override(suite: Suite, catalogue: Catalogue | None = None, **changes: Any) -> Suite:
    """Return a suite with values of the command line in place of its own and of its entries'.

    None and empty lists change nothing. Raises RequestError for invalid values.
    """
    changes = {key: value for key, value in plain(changes).items() if value is not None and value not in ((), [])}
    replaced = set(changes) | {_RIVALS[key] for key in changes if key in _RIVALS}
    values = {key: value for key, value in suite.model_dump(exclude_none=True).items() if key not in replaced}
    for kind in {"problems", "optimizers"} & set(values):
        values[kind] = [{key: entry[key] for key in entry if key not in replaced} for entry in values[kind]]
    return parse_suite(values | changes, catalogue=catalogue)


def list_suites() -> list[Suite]:
    """Return every packaged suite, sorted by name."""
    return [load_suite(path.stem) for path in sorted(_FOLDER.glob("*.toml"))]


def _fault(error: Any) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error["loc"]).lstrip(".")
    if error["type"] == "extra_forbidden":
        models = {"problems": ProblemEntry, "optimizers": OptimizerEntry}
        model = models.get(error["loc"][0], Suite) if len(error["loc"]) > 1 else Suite
        return f"{quote(path)[1:-1]}: unknown key{nearest(str(error['loc'][-1]), model.model_fields)}"
    if error["type"] == "missing":
        return f"{path}: is missing"
    if error["type"] == "value_error":
        message = str(error["ctx"]["error"])
        return message if message.startswith(f"{path}: ") else f"{path}: {message}"
    return f"{path}: {error['msg'][0].lower()}{error['msg'][1:]}, got {quote(error['input'])}"
