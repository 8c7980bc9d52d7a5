"""Requests: suites, their grammar and their cells, as names and numbers only, without jax."""

from optbench.errors import RequestError, nearest, one_line
from optbench.request.amounts import check_repeats, parse_counts, parse_seconds
from optbench.request.catalogue import Catalogue, OptimizerInfo
from optbench.request.cells import Cell, expand
from optbench.request.grammar import (
    DefaultRange,
    Spec,
    Value,
    format_spec,
    format_value,
    labelled,
    parse_spec,
    parse_values,
)
from optbench.request.schedule import Schedule, parse_schedule
from optbench.request.suite import Suite, list_suites, load_suite, override, parse_suite, plain

__all__ = [
    "Catalogue",
    "Cell",
    "DefaultRange",
    "OptimizerInfo",
    "RequestError",
    "Schedule",
    "Spec",
    "Suite",
    "Value",
    "check_repeats",
    "expand",
    "format_spec",
    "format_value",
    "labelled",
    "list_suites",
    "load_suite",
    "nearest",
    "one_line",
    "override",
    "parse_counts",
    "parse_schedule",
    "parse_seconds",
    "parse_spec",
    "parse_suite",
    "parse_values",
    "plain",
]
