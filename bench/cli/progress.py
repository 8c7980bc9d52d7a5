"""Progress on stderr: a bar on a terminal, a line per cell elsewhere."""

import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optbench.cli.signals import check_signals
from optbench.store.status import Outcome

if TYPE_CHECKING:
    from optbench.planning.jobs import Job
    from optbench.runner.executor import Progress


# Without markup: rich would take the brackets of a problem's parameters for its own.
_TEXT = "{task.fields[cells]}{task.description}"
#: How messages begin that a terminal shows beside the bar until the next one; all others stay on the screen.
_PASSING = ("calibrating", "timing")


def prints_aside() -> AbstractContextManager:
    """Send what plug-ins print to stderr: on stdout are tables and nothing else."""
    return redirect_stdout(sys.stderr)


class Reporter:
    """Show cells done, trials per second and the time left, and what plug-ins print, on stderr.

    A context: the bar goes when it ends.
    """

    def __init__(self) -> None:
        self._aside = prints_aside()
        self._began = time.monotonic()
        self._total = self._done = self._kept = self._trials = 0
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> "Reporter":
        self._aside.__enter__()
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn

            columns = (BarColumn(), TextColumn(_TEXT, markup=False))
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("", total=None, cells="")
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._aside.__exit__(None, None, None)
        computed = self._done - self._kept
        took = time.monotonic() - self._began
        if self._total:
            cells = "1 cell" if computed == 1 else f"{computed} cells"
            print(f"{cells} computed, {self._kept} kept from before, {took:.1f} s", file=sys.stderr)

    def plan(self, jobs: "Sequence[Job]") -> None:
        """Take note of all that is to be done."""
        self._total = len(jobs)
        self._show()

    def progress(self, progress: "Progress") -> None:
        """Show what happened to a cell."""
        cell = progress.job.cell
        label = f"{cell.problem} / {cell.optimizer}" + (
            "" if cell.batch_size in (None, "full") else f" / {cell.batch_size}"
        )
        if progress.outcome == Outcome.STARTED:
            self._say(progress.message, f"{self._speed()}  {label}")
            return
        self._done += 1
        self._kept += progress.outcome == Outcome.KEPT
        self._trials += progress.job.num_trials * (progress.outcome != Outcome.KEPT)
        message = f"{label}: {progress.outcome} {progress.message}".rstrip() if progress.message else ""
        self._say(message, f"{self._speed()}  {label}")
        if self._bar is None and progress.outcome != Outcome.KEPT:
            print(f"[{self._done:{len(str(self._total))}}/{self._total}] {self._speed()}  {label}", file=sys.stderr)
        check_signals()

    def say(self, message: str) -> None:
        """Tell what is going on besides cells."""
        if self._bar is not None and message.startswith(_PASSING):
            self._show(message)
        else:
            self._print(message)

    def _speed(self) -> str:
        computed = self._done - self._kept
        if not computed:
            return f"{self._total - self._done} to do"
        took = time.monotonic() - self._began
        remaining = took / computed * (self._total - self._done)
        return f"{self._trials / took:.0f} trials/s, {_duration(remaining)} left"

    def _say(self, message: str, label: str) -> None:
        self._show(label)
        if message:
            self._print(message)

    def _print(self, message: str) -> None:
        """Print a line that stays, above the bar if there is one."""
        if self._bar is None:
            print(message, file=sys.stderr)
        else:
            self._bar.console.print(message, markup=False, highlight=False, soft_wrap=True)

    def _show(self, description: str | None = None) -> None:
        """Move the bar, if there is one; its text stays where no other is given."""
        if self._bar is None:
            return
        cells = f"{self._done}/{self._total} cells  " if self._total else ""
        # Without a total, before anything is planned, the bar pulses.
        text = {} if description is None else {"description": description}
        self._bar.update(self._task, total=self._total or None, completed=self._done, cells=cells, **text)


def say(text: str) -> None:
    """Tell on stderr what is going on."""
    print(text, file=sys.stderr)


def say_trace(folder: Path) -> None:
    """Say where a trace is, and what opens it."""
    print(f"trace kept in {folder / 'perfetto_trace.json.gz'}; ui.perfetto.dev opens it", file=sys.stderr)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
