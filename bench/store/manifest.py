"""The manifest of a run: its suite as it was run, versions, device, commit and cells, in `manifest.json`."""

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from optbench.errors import StoreError
from optbench.store import schema
from optbench.store.locations import ROOT, read_bytes
from optbench.store.runs import now, write_json

#: Packages whose versions change the numbers of training: they stand in every cell's key.
TRAINS = ("jax", "jaxlib", "optax", "flax")
#: Those whose versions a manifest tells, and which the workers of a cluster have to share.
PACKAGES = ("optbench", *TRAINS, "numpy", "scipy", "scikit-learn")

#: What tables need: field -> type, or fields in turn.
FIELDS = {"suite": {"dtype": str, "report_seeds": int}, "device": {"device": str}, "cells": list}
CELL = {"key": str, "problem": str, "optimizer": str}


def describe(
    suite: Mapping[str, Any], cells: Sequence[Mapping[str, Any]], device: Mapping[str, Any], cache_note: str | None
) -> dict[str, Any]:
    """Describe a run that begins now: the words of its suite, its cells (key, problem, optimizer, batch size), device.

    `cache_note` says why compiled programs are not kept, where they are not.
    """
    return {
        "suite": dict(suite),
        "versions": {package: version(package) for package in PACKAGES} | {"python": platform.python_version()},
        "device": dict(device),
        "compile_cache": cache_note or "on",
        "git_commit": _git_commit(),
        "started": now(),
        "ended": None,
        "cells": [dict(cell) for cell in cells],
    }


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Write `manifest.json` in one move, and return it as it would be read. Raises StoreError."""
    written = {"schema": schema.VERSION, **manifest}
    write_json(folder, folder / "manifest.json", written)
    return written


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a run's manifest. Raises StoreError where it is missing, torn or of another schema."""
    path = folder / "manifest.json"
    try:
        manifest = json.loads(read_bytes(path))
        number = manifest["schema"]
    except (OSError, KeyError, ValueError, TypeError, RecursionError) as error:
        raise StoreError(f"{path} is no manifest of a run ({type(error).__name__})") from error
    if number != schema.VERSION:
        raise StoreError(f"{path} has schema version {number!r}; this optbench reads {schema.VERSION}")
    if lacking := _missing(manifest):
        raise StoreError(f"{path} is no manifest of a run ({lacking})")
    return manifest


def _missing(manifest: Mapping[str, Any]) -> str | None:
    """Say what is missing or of the wrong kind; None where nothing is."""
    fault = _fault(manifest, FIELDS)
    if fault:
        return fault
    for number, cell in enumerate(manifest["cells"]):
        # A key names files.
        if wrong := _fault(cell, CELL) or (None if _is_name(cell["key"]) else "key is no name"):
            return f"cells[{number}]: {wrong}"
    return None


def _fault(value: Any, fields: Mapping[str, Any]) -> str | None:
    if not isinstance(value, Mapping):
        return "no object"
    for name, kind in fields.items():
        if name not in value:
            return f"{name} is missing"
        if isinstance(kind, Mapping):
            if wrong := _fault(value[name], kind):
                return f"{name}: {wrong}"
        elif not isinstance(value[name], kind):
            return f"{name} is no {kind.__name__}"
    return None


def _is_name(text: str) -> bool:
    return text.isprintable() and text not in ("", ".", "..") and not any(mark in text for mark in "/\\")


def _git_commit() -> str | None:
    """Name the commit of the checkout that this code runs from; of an installed copy, that of the current folder.

    Which is where plug-ins lie. "-dirty" where it was edited since; None where neither is under git.
    """
    # An installed copy may lie inside somebody else's checkout.
    own = _git(ROOT, "rev-parse", "--show-toplevel")
    folder = ROOT if own and Path(own) == ROOT else Path()
    return _git(folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude", "*")


def _git(folder: Path, *words: str) -> str | None:
    options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 5, "check": True}
    try:
        return subprocess.run(["git", "-C", str(folder), *words], **options).stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        return None
