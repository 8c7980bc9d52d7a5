"""Where the numbers of a run come from, and the commands that make them again."""

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from optbench.present.table import Table
from optbench.request import list_suites
from optbench.store.run import StoredRun


def provenance(run: StoredRun) -> Table:
    """Tabulate what a run says of itself."""
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
        "seeds": _seeds(suite),
        "commit": manifest.get("git_commit"),
        "versions": versions,
        "cells": len(manifest["cells"]),
    }
    rows = [(name, str(value)) for name, value in fields.items() if value not in (None, "")]
    return Table(f"{run.folder.name}: where its numbers come from", ("what", "value"), rows)


def _seeds(suite: Mapping[str, Any]) -> str:
    if "seeds" not in suite:
        return f"{suite['report_seeds']} report the best"
    return f"{suite['seeds']} choose, {suite['report_seeds']} report the best; base {suite.get('seed', 0)}"


def machine(device: Mapping[str, Any]) -> str:
    """Name a machine by what its speed depends on."""
    names = [device.get("device"), device.get("cpu") if device.get("cpu") != device.get("device") else None]
    count = device.get("cpu_count")
    several = device.get("devices", 1)
    said = [str(name) for name in names if name] + ([f"{count} cores"] if count else [])
    return ", ".join(said + ([f"{several} devices"] if several > 1 else []))


def commands(runs: Sequence[StoredRun], output: Path) -> list[str]:
    """Name the commands that make these runs and their page again."""
    lines = [line for run in runs for line in _run_commands(run)]
    names = [shlex.quote(run.folder.name) for run in runs]
    return [*lines, f"optbench report {' '.join(names)} -o {shlex.quote(output.name)}"]


def _run_commands(run: StoredRun) -> list[str]:
    suite, name = run.manifest["suite"], run.folder.name
    called = "" if name == suite.get("name") else f" --name {shlex.quote(name)}"
    timed = "" if run.timings else " --no-throughput"
    tuned = run.manifest.get("tuned")
    if tuned:
        wider = " --auto-extend" if tuned["auto_extend"] else ""
        timed = f" --search {tuned['search']} --trials {tuned['trials']}{wider}"
    command = "optbench tune" if tuned else "optbench run"
    if _is_packaged(suite):
        return [f"{command} {suite['name']}{called}{timed}"]
    file = shlex.quote(f"{name}.toml")
    return [f"cat > {file} <<'END'", *_toml(_given(suite)), "END", f"{command} ./{file}{called}{timed}"]


def _is_packaged(suite: Mapping[str, Any]) -> bool:
    name = suite.get("name")
    packaged = next((one for one in list_suites() if one.name == name), None)
    return packaged is not None and _given(packaged.model_dump(mode="json")) == _given(suite)


def _given(value: Any) -> Any:
    """Leave out what is not given: older runs name fewer words of a suite."""
    if isinstance(value, Mapping):
        return {key: _given(one) for key, one in value.items() if one is not None}
    return [_given(one) for one in value] if isinstance(value, list | tuple) else value


def _toml(fields: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in fields.items()]


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(_toml(value))} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    # JSON's strings and numbers are TOML's too.
    return json.dumps(value, ensure_ascii=False)
