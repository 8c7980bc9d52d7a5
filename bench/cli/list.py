"""`optbench list`: what there is; without jax where it isn't needed."""

import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from optbench.cli.options import ResultsFolder
from optbench.cli.output import show

if TYPE_CHECKING:
    pass

Json = Annotated[bool, Parameter(negative=())]
list_app = App(name="list", help="List what there is.")


@list_app.command
def problems(name: str | None = None, *, json: Json = False) -> None:
    """List the problem families, with what they reveal; or tell all about one of them.

    Parameters
    ----------
    name
        A family to tell about: its formula, its parameters, and its ladder as it can be typed.
    json
        Print JSON.
    """
    from optbench import problems as families
    from optbench.present.table import Table
    from optbench.request import RequestError, nearest

    if name is not None and name not in families.families():
        raise RequestError(f"unknown problem {name!r}{nearest(name, families.families())}")
    names = families.families() if name is None else [name]
    rows = [_described(family) for family in sorted(names, key=lambda family: (_kind(family), family))]
    if name is not None and not json:
        print(_told(rows[0], inspect.getdoc(families.factory(name)) or ""))
        return
    notes = ("choose with -p NAME, -p 'NAME[key=value,value]', -p '*'; more of one: optbench list problems NAME",)
    # Ladders are for machines and for the page of one family: they would crowd out the rest.
    columns = tuple(column for column in rows[0] if json or column != "rungs")
    show(Table("problems", columns, tuple(rows), notes), "json" if json else "plain")


def _kind(family: str) -> str:
    from optbench import problems as families

    return families.families()[family].split(".")[-2]


def _described(family: str) -> dict[str, Any]:
    from optbench import problems as families
    from optbench.request import format_spec

    factory = families.factory(family)
    return {
        "problem": family,
        "kind": _kind(family),
        "reveals": _first_line(factory),
        "optimum": families.section(factory, "Optimum").rstrip("."),
        "rungs": [format_spec(family, rung) for rung in families.rungs(family)],
        "parameters": ", ".join(f"{key}={_shown(value)}" for key, value in families.parameters(factory).items()),
    }


def _told(row: dict[str, Any], documented: str) -> str:
    """Write all there is to say of one family."""
    ladder = [f"{rung}: -p '{spec}'" for rung, spec in zip(("easy", "medium", "hard"), row["rungs"], strict=True)]
    return "\n".join(
        [f"{row['problem']} ({row['kind']})", "", documented, "", f"Parameters: {row['parameters']}", *ladder]
    )


@list_app.command
def optimizers(name: str | None = None, *, json: Json = False) -> None:
    """List the optimizers, with their learning rates, hyperparameters and sources; or one of them.

    Parameters
    ----------
    name
        An optimizer, or a pattern as in 'adam*'.
    json
        Print JSON.
    """
    from fnmatch import fnmatchcase

    from optbench.optimizers import catalogue
    from optbench.present.table import Table
    from optbench.request import OptimizerInfo, RequestError, nearest

    entries = {key: entry for key, entry in catalogue().items() if name is None or fnmatchcase(key, name)}
    if name is not None and not entries:
        raise RequestError(f"unknown optimizer {name!r}{nearest(name, catalogue())}")
    rows = []
    for key, entry in entries.items():
        hyperparameters = ", ".join(f"{word}={_shown(value)}" for word, value in entry.hyperparameters.items())
        decays = OptimizerInfo(entry.learning_rates, {}, own_weight_decays=entry.weight_decays).weight_decays
        numbers = (*entry.learning_rates, entry.default_learning_rate, *decays)
        rows.append((key, *numbers, hyperparameters, ", ".join(sorted(entry.needs)), entry.decay, entry.source))
    ends = ("learning_rate_low", "learning_rate_high", "default_learning_rate", "weight_decay_low", "weight_decay_high")
    columns = ("optimizer", *ends, "hyperparameters", "needs", "decay", "source")
    notes = (
        "choose with -o NAME, -o 'adam*', -o 'adamw[b1=0.8,0.9]'",
        "low and high: the ranges of --learning-rate default:N and --weight-decay default:N; default_learning_rate: of "
        "the paper or of well-known code",
    )
    table = Table("optimizers", columns, tuple(rows), notes)
    show(table, "json" if json else "plain")


@list_app.command
def suites(*, json: Json = False) -> None:
    """List the packaged suites."""
    from optbench.present.table import Table
    from optbench.request import list_suites

    rows = [(suite.name, suite.description, len(suite.problems), len(suite.optimizers)) for suite in list_suites()]
    show(Table("suites", ("suite", "description", "problems", "optimizers"), tuple(rows)), "json" if json else "plain")


@list_app.command
def runs(*, results: ResultsFolder = "results", json: Json = False) -> None:
    """List the runs in a results folder, newest first."""
    from optbench import errors
    from optbench.present.table import Table
    from optbench.store import manifest
    from optbench.store.locations import children, locate
    from optbench.store.manifest import read_manifest
    from optbench.store.runs import list_runs

    rows, faults = [], []
    for folder in list_runs(locate(results)):
        try:
            manifest = read_manifest(folder)
        except errors.StoreError as error:
            faults.append(str(error))
            continue
        parts = {path.stem for path in children(folder / "parts") if path.suffix == ".parquet"}
        stored = sum(cell["key"] in parts for cell in manifest["cells"])
        device = manifest["device"]["device"]
        rows.append(
            (folder.name, manifest.get("started"), manifest.get("ended"), stored, len(manifest["cells"]), device)
        )
    notes = tuple(faults) if rows or faults else ("none yet; make one: optbench run smoke",)
    show(
        Table(f"runs in {results}", ("run", "started", "ended", "stored", "cells", "device"), tuple(rows), notes),
        "json" if json else "plain",
    )


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _first_line(documented: Callable[..., Any]) -> str:
    lines: Iterable[str] = (documented.__doc__ or "").strip().splitlines()
    return next(iter(lines), "")
