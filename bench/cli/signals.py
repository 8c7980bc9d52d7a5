"""Signals that ask a command to end: Ctrl-C, a scheduler's SIGTERM, a closed terminal."""

import os
import signal
import sys
from contextlib import suppress
from select import select
from threading import Thread
from typing import Any, NoReturn

INTERRUPTED = "interrupted: finished cells are kept, the same command goes on from there"
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


#: For open files, traces and clusters to be closed; schedulers kill half a minute after they asked.
GRACE_SECONDS = 5.0

_seen: list[int] = []


def heed_signals() -> None:
    """Let SIGTERM and SIGHUP interrupt a command as Ctrl-C does; the process ends soon, and at a second signal at once.

    Also where no interrupt gets through: Python sees a signal only when the call that it is in returns, one into XLA
    may take minutes, and what is raised while a plug-in's callback runs is taken for an error of the plug-in's.
    """
    for number in _ENDING[1:]:
        # `nohup` has it ignored.
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _interrupt)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    Thread(target=_watch, args=(reading,), daemon=True).start()
    sys.unraisablehook = _unraisable


def check_signals() -> None:
    """Raise the interrupt again that came in the cell before, where it was taken for an error of the cell's."""
    if _seen:
        raise KeyboardInterrupt(*_seen)


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """Return what a shell says of a process that this signal ended."""
    return 128 + (interrupt.args[0] if interrupt.args else signal.SIGINT)


def end_now(code: int) -> NoReturn:
    """End the process without waiting for its threads: what is on the disk is whole at any moment."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _interrupt(number: int, _: object) -> NoReturn:
    raise KeyboardInterrupt(number)


def _unraisable(told: Any) -> None:
    """End the process where an interrupt was raised in a place that can't raise, as in what frees an object."""
    if isinstance(told.exc_value, KeyboardInterrupt):
        _end(exit_code(told.exc_value))
    sys.__unraisablehook__(told)


def _watch(reading: int) -> NoReturn:
    """Wait for a signal; end the process a while after it, or at the second one."""
    number = _next_signal(reading, None)
    _seen.append(number)
    number = _next_signal(reading, GRACE_SECONDS) or number
    _end(128 + number)


def _end(code: int) -> NoReturn:
    # The progress bar hides the cursor.
    show_cursor = "\x1b[?25h" if sys.stderr.isatty() else ""
    with suppress(OSError):
        os.write(2, f"{show_cursor}\n{INTERRUPTED}\n".encode())
    os._exit(code)


def _next_signal(reading: int, seconds: float | None) -> int:
    """Wait for a signal that ends a process; 0 where none comes in so many seconds."""
    while select([reading], [], [], seconds)[0]:
        if (number := os.read(reading, 1)[0]) in _ENDING:
            return number
    return 0
