"""Keep what a plug-in's code changes in this process away from everything else."""

import locale
import os
import random
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import jax
import numpy as np

from optbench.sweep.jax_settings import pinned


class Before(NamedTuple):
    """What a process, or the thread that asks, was set up as."""

    jax: dict[str, Any]
    numpy_errors: Any
    numpy_random: Any
    random: Any
    folder: str
    environment: dict[str, str]
    locale: str


def remember() -> Before:
    """Take note of everything that `apart` puts back."""
    states = np.random.get_state(), random.getstate()
    return Before(
        dict(jax.config.values), np.geterr(), *states, os.getcwd(), dict(os.environ), locale.setlocale(locale.LC_ALL)
    )


@contextmanager
def apart(before: Before | None = None) -> Iterator[None]:
    """Run code that may be a plug-in's as things were before it, and leave them so; as they are now without `before`.

    jax's settings that change numbers are pinned meanwhile. Also as a decorator. Several threads may be inside with the
    same `before`.
    """
    before = before or remember()
    try:
        with ExitStack() as stack:
            # In each thread anew: one that trains doesn't see what another sets for the process.
            stack.enter_context(pinned())
            stack.enter_context(np.errstate(**before.numpy_errors))
            stack.enter_context(warnings.catch_warnings())
            # A full disk makes compiling slower the next time, and nothing else.
            warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")
            yield
    finally:
        _put_back(before)


def _put_back(before: Before) -> None:
    now = jax.config.values
    for name, value in before.jax.items():
        if now[name] != value:
            jax.config.update(name, value)
    np.random.set_state(before.numpy_random)
    random.setstate(before.random)
    os.chdir(before.folder)
    for name in os.environ.keys() - before.environment.keys():
        del os.environ[name]
    for name, value in before.environment.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    locale.setlocale(locale.LC_ALL, before.locale)
