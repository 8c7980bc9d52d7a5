"""Signals that ask a command to end: Ctrl-C, a scheduler's SIGTERM, a closed terminal."""

import os
import signal
import sys
from contextlib import suppress
from threading import Thread
from typing import NoReturn

INTERRUPTED = "interrupted: finished cells are kept, the same command goes on from there"
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def heed_signals() -> None:
    """Let SIGTERM and SIGHUP interrupt a command as Ctrl-C does, and a second signal end it at once.

    At once, because Python sees a signal only when the call that it is in returns, and one into XLA may take minutes.
    """
    for number in _ENDING[1:]:
        # `nohup` has it ignored.
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _interrupt)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    Thread(target=_end_at_second, args=(reading,), daemon=True).start()


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


def _end_at_second(reading: int) -> NoReturn:
    """Wait for two signals; the second comes from somebody who doesn't want to wait."""
    numbers: list[int] = []
    while len(numbers) < 2:
        numbers += [number for number in os.read(reading, 1) if number in _ENDING]
    # The progress bar hides the cursor.
    shown = "\x1b[?25h" if sys.stderr.isatty() else ""
    with suppress(OSError):
        os.write(2, f"{shown}\n{INTERRUPTED}\n".encode())
    os._exit(128 + numbers[-1])
