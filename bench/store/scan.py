"""Which cells of a run's folder are finished, failed or torn: one listing, and every part that is there read whole."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from optbench.store import packs
from optbench.store.archive import archived_parts
from optbench.store.locations import as_store_error, children
from optbench.store.packs import Stamp
from optbench.store.parallel import spread
from optbench.store.parts import Part, TornPart, part_path, read_part


def scan(folder: Path, keys: Iterable[str]) -> dict[str, Part | TornPart]:
    """Read the footers of the parts of some cells, by key in the order asked; cells without a part are left out.

    Each part's pages are read too, against their checksums, on all cores: `read_part` tells why. A part of 34 trials
    and 23 kB takes a core 0.7 ms, two thirds of them for its pages. What thousands hold is kept in packs, so that
    the next scan reads only what has changed. A part of its own goes before one in an archive.
    """
    on_disk = isinstance(folder, Path)
    stamps = _stamps(folder / "parts") if on_disk else {}
    stored = stamps or {path.name for path in children(folder / "parts")}
    wanted = list(dict.fromkeys(keys))
    present = [key for key in wanted if part_path(folder, key).name in stored]
    parts: dict[str, Part | TornPart] = dict(packs.packed_parts(folder, stamps)) if stamps else {}
    unread = [key for key in present if key not in parts]
    pack = on_disk and len(unread) >= packs.MANY
    read = spread(partial(_read, folder, pack=pack), unread, on_disk, packs.PACKED if pack else None)
    # One may be gone since they were listed.
    parts |= {key: part for key, part in zip(unread, read, strict=True) if part is not None}
    if pack:
        parts |= dict(packs.packed_parts(folder, stamps))
    parts |= archived_parts(folder, [key for key in wanted if part_path(folder, key).name not in stored])
    return {key: parts[key] for key in wanted if key in parts}


@contextmanager
def packing(folder: Path) -> Iterator[Callable[[str], None]]:
    """Take the keys of parts as they are written, and pack them by the thousands in a second thread.

    So a run of a hundred thousand that is killed goes on at once.
    """
    pool, written = ThreadPoolExecutor(1, "packing"), list[str]()
    on_disk = isinstance(folder, Path)
    # A plug-in that is being compiled may stand in another folder for a while.
    read = partial(_read, folder.absolute() if on_disk else folder, pack=True)

    def pack(keys: Sequence[str]) -> None:
        for _ in spread(read, keys, True, packs.PACKED):
            pass

    def note(key: str) -> None:
        written.append(key)
        if on_disk and len(written) >= packs.MANY:
            pool.submit(pack, [*written])
            written.clear()

    try:
        yield note
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _stamps(parts: Path) -> dict[str, Stamp]:
    """List what a folder on a disk holds; nothing where there is none. Raises StoreError."""
    with as_store_error("read", parts):
        try:
            with os.scandir(parts) as entries:
                stamps = {entry.name: packs.stamp(entry) for entry in entries}
        except (FileNotFoundError, NotADirectoryError):
            return {}
    return {name: there for name, there in stamps.items() if there is not None}


def _read(folder: Path, keys: Sequence[str], pack: bool) -> list[Part | TornPart | None]:
    paths = [part_path(folder, key) for key in keys]
    return packs.read_and_pack(folder, paths) if pack else [read_part(path) for path in paths]
