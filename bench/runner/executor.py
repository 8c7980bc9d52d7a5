"""What carries jobs out: this process, with its devices (`local`), or the workers of a cluster (`cluster.executor`)."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from optbench.planning.jobs import Job
from optbench.store.status import Outcome


class Progress(NamedTuple):
    """What happened to one cell."""

    job: Job
    #: Never `TORN`.
    outcome: Outcome
    message: str = ""


class Deadline(NamedTuple):
    """When to begin no more cells, by `time.monotonic`."""

    at: float = float("inf")

    @property
    def passed(self) -> bool:
        return time.monotonic() >= self.at


#: A job that is to be run, with a note of why it was not kept.
Waiting = tuple[Job, str]
Say = Callable[[str], None]
OnPlan = Callable[[Sequence[Job]], None]
OnProgress = Callable[[Progress], None]


class Reports(NamedTuple):
    """Whom a run tells what goes on: nobody, where nothing is given."""

    #: What happened to a cell.
    progress: OnProgress = lambda progress: None
    #: All jobs of the run, once they are planned.
    plan: OnPlan = lambda jobs: None
    #: Whatever else there is to say, in a line.
    say: Say = lambda text: None


class Executor(NamedTuple):
    """How jobs are trained and timed, and on what."""

    #: What stands in the manifest: the kind of device in `device`, which determines keys, and its machine.
    device: Mapping[str, Any]
    #: Why compiled programs are not kept; None where they are.
    cache_note: str | None
    train: Callable[[Sequence[Waiting], Path, OnProgress, Deadline], None]
    time: Callable[[Sequence[Job], Path, Say], None]

    @property
    def kind(self) -> str:
        """The kind of device, which determines keys."""
        return self.device["device"]
