"""The origin of a run's numbers: machine, versions, seeds, and the commands that compute them again."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from optbench.present.table import Table
from optbench.request import list_suites
from optbench.store.run import StoredRun


def provenance(run: StoredRun) -> Table:
    """Tabulate a run's manifest: suite, machine, precision, seeds, versions."""
    manifest = run.manifest
    suite, device = manifest["suite"], manifest["device"]
    versions = ", ".join(f"{name} {number}" for name, number in manifest.get("versions", {}).items())
    tuned = manifest.get("tuned") or {}
    fields = {
        "run": run.folder.name,
        "suite": suite.get("name"),
        "started": manifest.get("started"),
        "ended": manifest.get("ended") or "not yet",
        "machine": machine(device),
        "system": device.get("system"),
        "dtype": suite.get("dtype"),
        "weight decay": suite.get("decay"),
        "search": f"{tuned['search']}, {tuned['trials']} trials for each optimizer" if tuned else None,
        "seeds": _seeds(suite, max((part.record.studies for part in run.parts), default=1)),
        "commit": manifest.get("git_commit"),
        "versions": versions,
        "cells": len(manifest["cells"]),
    }
    rows = [(name, str(value)) for name, value in fields.items() if value not in (None, "")]
    return Table(f"{run.folder.name}: where its numbers come from", ("what", "value"), rows)


def _seeds(suite: Mapping[str, Any], num_studies: int) -> str:
    if "seeds" not in suite:
        return f"{suite['report_seeds']} report the best"
    base = suite.get("seed", 0)
    if num_studies > 1:
        return (
            f"{suite['seeds']} choose in each of {num_studies} studies, which report on a fresh one each; base {base}"
        )
    return f"{suite['seeds']} choose, {suite['report_seeds']} report the best; base {base}"


def machine(device: Mapping[str, Any]) -> str:
    """Name a machine by what its speed depends on: device, processor, cores, number of devices."""
    names = [device.get("device"), device.get("cpu") if device.get("cpu") != device.get("device") else None]
    num_cores, num_devices = device.get("cpu_count"), device.get("devices", 1)
    words = [str(name) for name in names if name]
    words += [f"{num_cores} cores"] if num_cores else []
    return ", ".join(words + ([f"{num_devices} devices"] if num_devices > 1 else []))


def commands(runs: Sequence[StoredRun], output: Path) -> list[str]:
    """Return the commands that compute these runs and write their page again, one a line."""
    lines = [line for run in runs for line in _run_commands(run)]
    names = [shlex.quote(run.folder.name) for run in runs]
    return [*lines, f"optbench report {' '.join(names)} -o {shlex.quote(output.name)}"]


def _run_commands(run: StoredRun) -> list[str]:
    suite, name = run.manifest["suite"], run.folder.name
    tuned = run.manifest.get("tuned")
    options = "" if name == suite.get("name") else f" --name {shlex.quote(name)}"
    if tuned:
        options += f" --search {tuned['search']} --trials {tuned['trials']}"
        options += " --auto-extend" if tuned["auto_extend"] else ""
    else:
        options += "" if run.timings else " --no-throughput"
    command = "optbench tune" if tuned else "optbench run"
    if _is_packaged(suite):
        return [f"{command} {suite['name']}{options}"]
    file = shlex.quote(f"{name}.toml")
    return [f"cat > {file} <<'END'", *_toml(_without_none(suite)), "END", f"{command} ./{file}{options}"]


def _is_packaged(suite: Mapping[str, Any]) -> bool:
    name = suite.get("name")
    packaged = next((candidate for candidate in list_suites() if candidate.name == name), None)
    return packaged is not None and _without_none(packaged.model_dump(mode="json")) == _without_none(suite)


def _without_none(value: Any) -> Any:
    """Leave out the words of a suite that are None: older runs name fewer of them."""
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list | tuple) else value


def _toml(fields: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in fields.items()]


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(_toml(value))} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    # JSON's strings and numbers are TOML's too.
    return json.dumps(value, ensure_ascii=False)
