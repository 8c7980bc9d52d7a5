"""`python -m optbench.store.reference RUN FOLDER`: keep what a run's report seeds gave, to stand beside.

Small enough for git: one file holds the cells, another the manifest.
"""

import sys
from pathlib import Path

from optbench.store import trials
from optbench.store.archive import write_archive
from optbench.store.manifest import write_manifest
from optbench.store.run import StoredRun, load_stored
from optbench.store.runs import check_writable
from optbench.store.status import Outcome


def keep_reference(run: StoredRun, folder: Path) -> None:
    """Write a run without its selection trials and its timings, which are of one machine.

    Raises StoreError for what can't be written, and for a run none of whose cells has finished.
    """
    check_writable(folder)
    finished = [part for part in run.parts if part.outcome == Outcome.FINISHED]
    rows = [(part, trials.read_rows([part], phase="report")) for part in finished]
    write_archive(folder, [(part.path.stem, part.record, table) for part, table in rows if len(table)])
    write_manifest(folder, run.manifest)


if __name__ == "__main__":
    keep_reference(load_stored(sys.argv[1]), Path(sys.argv[2]))
