"""The words for how a trial ended and what became of a cell: they equal their texts, which stand on disk."""

from enum import StrEnum


class TrialStatus(StrEnum):
    """How a trial ended, in a part's column `status`."""

    OK = "ok"
    #: It ended above its start, but not far above, or no longer rising.
    WORSE = "worse than the start"
    #: Its loss was not finite, or ended far above where it began.
    DIVERGED = "diverged"
    #: A search dropped it on the way.
    STOPPED = "stopped"
    #: Its cell failed: by an exception, without memory, or out of time.
    ERROR = "error"
    OOM = "oom"
    TIMEOUT = "timeout"


class Outcome(StrEnum):
    """What became of a cell, or of the file that tells."""

    FINISHED = "finished"
    FAILED = "failed"
    #: Its file is no whole part of this schema.
    TORN = "torn"
    #: Of progress alone: it is begun, or was finished before.
    STARTED = "started"
    KEPT = "kept"
