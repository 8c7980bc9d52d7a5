"""What a user's code did wrong, in one line that names his file and line."""

import functools
import re
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jax

from optbench.errors import PluginError, RequestError, StoreError, one_line

#: What jax raises where code asks a traced number for its value.
_TRACED = (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError)
_TRACED += (jax.errors.TracerIntegerConversionError, jax.errors.TracerBoolConversionError)

#: What to write where a value is asked for: of what builds an optimizer, and of what it does at each step.
HYPERPARAMETERS = (
    "learning_rate, as every number that is swept, stands for all points at once: no if, float() or numpy; "
    "schedules: --schedule 'cosine[warmup=0.1]'"
)
UPDATE = "arrays have no values while a program is compiled: jnp.where in place of if, jax.numpy in place of numpy"
_FAST = re.compile(r"attribute '?fast\b")


def located(function: Callable[..., Any], text: str, files: Iterable[Path], hint: str) -> Callable[..., Any]:
    """Wrap a function of a plug-in so that what it raises names its file and line; its signature stays.

    `text` names the plug-in where no line of `files` raised; `hint` says what to write where a value is asked for.
    """
    own = frozenset(map(str, files))

    @functools.wraps(function)
    def guarded(*arguments: Any, **keywords: Any) -> Any:
        try:
            return function(*arguments, **keywords)
        except (RequestError, StoreError, PluginError, MemoryError):
            raise
        except Exception as error:
            raise PluginError(_message(error, text, own, hint)) from error

    return guarded


def _message(error: Exception, text: str, files: frozenset[str], hint: str) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if str(Path(frame.filename)) in files]
    place = f"{Path(frames[-1].filename).name} line {frames[-1].lineno}" if frames else ""
    if isinstance(error, _TRACED):
        return f"{place or text}: {hint}"
    if isinstance(error, AttributeError) and _FAST.search(str(error)):
        return f"{place or text}: optax.lookahead wants LookaheadParams, a pair; accepted: what takes plain parameters"
    return f"{one_line(error)} ({place})" if place else one_line(error)
