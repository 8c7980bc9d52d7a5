"""Keep what a run's report seeds gave, to stand beside: small enough for git."""

from pathlib import Path

from optbench.results import Run
from optbench.store import parts, trials


def keep_reference(run: Run, folder: Path) -> None:
    """Write a run without its selection trials and its timings, which are of one machine. Raises StoreError."""
    parts.check_writable(folder)
    for part in run.parts:
        rows = trials.read_rows([part], phase="report")
        if part.outcome == "finished" and len(rows):
            parts.write_part(folder, part.path.stem, rows, part.footer)
    parts.write_manifest(folder, run.manifest)
