"""Trace what a process computes, for Perfetto."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax

#: Name what happens inside, in a trace; costs nothing where there is none.
span = jax.profiler.TraceAnnotation


@contextmanager
def traced(folder: str | Path | None) -> Iterator[None]:
    """Keep what happens inside as `perfetto_trace.json.gz` in a folder; without a folder keep nothing."""
    if folder is None:
        yield
        return
    folder = Path(folder).expanduser()
    options = jax.profiler.ProfileOptions()
    # A trace holds a million events: with Python's own calls, which one small cell makes 500,000 of, little else.
    options.python_tracer_level = 0
    jax.profiler.start_trace(folder, create_perfetto_trace=True, profiler_options=options)
    try:
        yield
    finally:
        jax.profiler.stop_trace()
        # jax puts it among its own files, in a folder with the time for a name.
        written = Path(folder).glob("plugins/profile/*/perfetto_trace.json.gz")
        newest = max(written, key=lambda path: path.stat().st_mtime)
        newest.replace(Path(folder) / newest.name)
