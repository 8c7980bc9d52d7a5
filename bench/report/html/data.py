"""The data of a page's figures as strict JSON, what several of them draw written once."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PageData:
    """The data of all figures, each dataset and each list of numbers in it written once and called by its place."""

    lists: dict[tuple[Any, ...], int] = field(default_factory=dict)
    datasets: dict[str, int] = field(default_factory=dict)

    def taken_from(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a specification's data, and return it with their places instead."""
        named = spec.get("datasets", {})
        return {**spec, "datasets": {name: self._place([*map(self._row, rows)]) for name, rows in named.items()}}

    def _place(self, rows: Sequence[Any]) -> int:
        return self.datasets.setdefault(embed_json(rows), len(self.datasets))

    def _row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Write a list as a list of its place alone: lines of one panel share steps, and panels of one cell values."""
        place = lambda values: [self.lists.setdefault(tuple(values), len(self.lists))]  # noqa: E731
        return {name: place(value) if isinstance(value, list) else value for name, value in row.items()}

    def text(self) -> str:
        """Write all as JSON."""
        return f'{{"lists":{embed_json([*self.lists])},"datasets":[{",".join(self.datasets)}]}}'


def embed_json(value: Any) -> str:
    """Write strict JSON that can't end the element it stands in; what is not finite is null."""
    text = json.dumps(_strict(value), allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _strict(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _strict(item) for key, item in value.items()}
    return [_strict(item) for item in value] if isinstance(value, list | tuple) else value
