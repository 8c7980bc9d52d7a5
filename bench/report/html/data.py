"""The data of a page's figures as strict JSON, what several of them draw written once."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class PageData:
    """The data of all figures, each dataset and each list of numbers in it written once and named by its index."""

    lists: dict[tuple[Any, ...], int] = field(default_factory=dict)
    datasets: dict[str, int] = field(default_factory=dict)

    def add(self, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Add a specification's data, and return the specification with their indices in place of them."""
        datasets = spec.get("datasets", {})
        return {**spec, "datasets": {name: self._index([*map(self._row, rows)]) for name, rows in datasets.items()}}

    def _index(self, rows: Sequence[Any]) -> int:
        return self.datasets.setdefault(embed_json(rows), len(self.datasets))

    def _row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Put the index of each list in its place: lines of one panel share steps, and panels of one cell values."""
        return {
            name: [self.lists.setdefault(tuple(value), len(self.lists))] if isinstance(value, list) else value
            for name, value in row.items()
        }

    def text(self) -> str:
        """Return all lists and datasets as JSON."""
        return f'{{"lists":{embed_json([*self.lists])},"datasets":[{",".join(self.datasets)}]}}'


def embed_json(value: Any) -> str:
    """Return strict JSON that can't end the element it stands in; numbers that are not finite are null."""
    text = json.dumps(_strict(value), allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _strict(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _strict(item) for key, item in value.items()}
    return [_strict(item) for item in value] if isinstance(value, list | tuple) else value
