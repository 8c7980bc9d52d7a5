"""What a manifest holds at the least, so that what reads it need not look."""

from collections.abc import Mapping
from typing import Any

#: What tables need: field -> type, or fields in turn.
FIELDS = {"suite": {"dtype": str, "report_seeds": int}, "device": {"device": str}, "cells": list}
CELL = {"key": str, "problem": str, "optimizer": str}


def fault(manifest: Mapping[str, Any]) -> str | None:
    """Say what is missing or of the wrong kind; None where nothing is."""
    found = _fault(manifest, FIELDS)
    if found:
        return found
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
