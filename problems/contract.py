"""The contract of a problem, checked once where somebody's own is made: each fault is one line."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jax
import numpy as np

from optbench.problems.problem import Problem

_SPLITS = ("train", "validation", "test")


def checked(problem: Problem) -> Problem:
    """Return a problem whose numbers are Python's: those of numpy and jax may have been given.

    Raises ValueError, in one line, for what breaks the contract.
    """
    for name in ("init", "loss", "metrics", "sample", "minimiser", "project", "state"):
        value = getattr(problem, name)
        if not callable(value) and (value is not None or name in ("init", "loss", "metrics")):
            raise ValueError(f"{name}: expected a function, found {_kind(value)}")
    if problem.train is not None and problem.sample is not None:
        raise ValueError("train and sample are both set: expected rows to train on, or a stream of batches")
    num_rows = {name: _num_rows(name, getattr(problem, name)) for name in _SPLITS}
    batch_size = problem.batch_size
    if isinstance(batch_size, str) and batch_size == "full" and problem.sample is not None:
        raise ValueError("batch_size: expected a whole number from 1 on, found 'full': a stream of batches has no end")
    if not (isinstance(batch_size, str) and batch_size == "full"):
        batch_size = _count("batch_size", batch_size, "a whole number from 1 on, or 'full'")
        if problem.sample is None and num_rows["train"] is not None and batch_size > num_rows["train"]:
            raise ValueError(f"batch_size: expected at most the {num_rows['train']} training rows, found {batch_size}")
    return dataclasses.replace(
        problem,
        steps=_count("steps", problem.steps, "a whole number from 1 on"),
        batch_size=batch_size,
        targets=_targets(problem.targets),
        optimum=_optimum(problem.optimum),
        higher_is_better=_names(problem.higher_is_better),
    )


def _num_rows(name: str, data: Any) -> int | None:
    """Count the rows that all arrays of a split share. Raises ValueError where they don't."""
    if data is None:
        return None
    leaves = jax.tree.leaves_with_path(data)
    if not leaves:
        raise ValueError(f"{name}: expected arrays with an axis of rows, found none")
    lengths = {}
    for path, leaf in leaves:
        label = name + jax.tree_util.keystr(path)
        if not hasattr(leaf, "shape") or not hasattr(leaf, "dtype"):
            raise ValueError(
                f"{label}: expected an array with an axis of rows, found {_kind(leaf)}; lists are to be arrays "
                "(numpy.asarray), and numbers that aren't rows belong into the function"
            )
        if not leaf.shape:
            raise ValueError(f"{label}: expected an array with an axis of rows, found a single number")
        if not jax.numpy.issubdtype(leaf.dtype, np.number) and leaf.dtype != bool:
            raise ValueError(f"{label}: expected an array of numbers, found one of {leaf.dtype}")
        lengths[label] = leaf.shape[0]
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{rows} of {label}" for label, rows in lengths.items())
        raise ValueError(f"{name}: expected arrays with as many rows each, found {counts}")
    if not (num_rows := next(iter(lengths.values()))):
        raise ValueError(f"{name}: expected at least one row, found none")
    return num_rows


def _targets(targets: Any) -> Mapping[str, float]:
    """Return targets as Python's numbers. Raises ValueError for other values and names."""
    if not isinstance(targets, Mapping):
        raise ValueError(f"targets: expected a dict of metric and value, found {_kind(targets)}")
    for name in targets:
        split, _, metric = str(name).partition("_")
        if split not in _SPLITS or not metric:
            raise ValueError(f"targets: expected a metric with its split, as in train_loss, found {name!r}")
    return {name: _number(f"targets[{name!r}]", value) for name, value in targets.items()}


def _optimum(optimum: Any) -> Callable[[], float | None]:
    """Return what computes the optimum as Python's number; that raises ValueError for other values."""

    @cache
    def compute() -> float | None:
        value = optimum() if callable(optimum) else optimum
        return None if value is None else _number("optimum", value)

    if not callable(optimum):
        compute()
    return compute


def _names(names: Any) -> frozenset[str]:
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"higher_is_better: expected a set of metrics' names, found {names!r}")
    return frozenset(names)


def _number(name: str, value: Any) -> float:
    """Return a finite number of Python's, numpy's or jax's as Python's. Raises ValueError for others."""
    if not isinstance(value, str | bytes | bool) and np.ndim(value) == 0:
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise ValueError(f"{name}: expected a finite number, found {_kind(value)}")


def _count(name: str, value: Any, accepted: str) -> int:
    """Return a count as Python's number. Raises ValueError for others."""
    try:
        number = _number(name, value)
    except ValueError:
        number = 0.0
    if number < 1 or number % 1:
        raise ValueError(f"{name}: expected {accepted}, found {_kind(value)}")
    return int(number)


def _kind(value: Any) -> str:
    """Describe a value that is not accepted: small ones by their text, others by their type."""
    if isinstance(value, str | int | float | bool | None):
        return repr(value)
    if np.ndim(value) == 0 and hasattr(value, "dtype"):
        return f"{value} ({type(value).__name__})"
    shape = f" of shape {list(value.shape)}" if hasattr(value, "shape") else ""
    return f"{type(value).__name__}{shape}"
