"""Keep what a run's report seeds gave, to stand beside: small enough for git."""

from pathlib import Path

from optbench.store import trials
from optbench.store.manifest import write_manifest
from optbench.store.parts import write_part
from optbench.store.run import StoredRun
from optbench.store.runs import check_writable
from optbench.store.status import Outcome


def keep_reference(run: StoredRun, folder: Path) -> None:
    """Write a run without its selection trials and its timings, which are of one machine. Raises StoreError."""
    check_writable(folder)
    for part in run.parts:
        rows = trials.read_rows([part], phase="report")
        if part.outcome == Outcome.FINISHED and len(rows):
            write_part(folder, part.path.stem, rows, part.record)
    write_manifest(folder, run.manifest)
