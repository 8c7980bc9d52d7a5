"""Where files lie, on a disk or in object storage: each is written whole or not at all, and faults are one line."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast
from uuid import uuid4

from optbench.errors import StoreError, reason

#: Of a checkout its folder; of an installed copy, the folder of packages that holds it.
ROOT = Path(__file__).resolve().parents[2]


def locate(given: str | Path) -> Path:
    """Locate a folder or a URL such as s3://bucket/results; ~ is the user's home.

    Raises StoreError for one that can't be opened.

    A URL becomes a UPath, which has a Path's methods and is none: `isinstance(path, Path)` tells a disk.
    """
    if not isinstance(given, str):
        return given.expanduser() if isinstance(given, Path) else given
    if "://" not in given:
        return Path(given).expanduser()
    # Here, as it takes 0.1 s to load.
    from upath import UPath

    try:
        # Listings are not cached: another process may have added something.
        path = UPath(given, use_listings_cache=False)
        # Loads the package that speaks the protocol.
        names = path.fs.protocol
    except Exception as error:
        raise StoreError(f"can't open {given}: {reason(error)}") from error
    if "file" in ([names] if isinstance(names, str) else names):
        if not given.startswith(("file://", "local://")):
            raise StoreError(f"can't open {given}: unknown protocol; accepted: a folder, or a URL as in s3://bucket/x")
        return Path(path.path)
    return cast(Path, path)


def children(folder: Path) -> list[Path]:
    """List what a folder holds, by name; nothing where there is none. Raises StoreError."""
    with as_store_error("read", folder):
        try:
            if isinstance(folder, Path):
                return sorted(folder.iterdir())
            files, path = _remote(folder)
            names = {found.rstrip("/").rpartition("/")[2] for found in files.ls(path, detail=False)}
            return [folder / name for name in sorted(names - {"", folder.name})]
        except (FileNotFoundError, NotADirectoryError):
            return []


def read_bytes(path: Path) -> bytes:
    """Read a file, by one request of object storage. Raises OSError, and StoreError for what else that may raise."""
    if isinstance(path, Path):
        return path.read_bytes()
    files, there = _remote(path)
    try:
        return files.cat_file(there)
    except OSError:
        raise
    except Exception as error:
        raise StoreError(f"can't read {path}: {reason(error)}") from error


def replace(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file in one move: on a disk beside its place first; one object is put whole or not at all."""
    if not isinstance(path, Path):
        content = io.BytesIO()
        write(content)
        files, there = _remote(path)
        files.pipe_file(there, content.getvalue())
        return
    # Not named after the process alone: several machines may share the folder.
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_file(path: Path, content: bytes) -> None:
    """Write a file in one move, in a folder that is made where it is missing. Raises StoreError."""
    path = locate(path)
    with as_store_error("write", path):
        make_folder(path.parent)
        replace(path, lambda file: file.write(content))


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where there is such a thing: a bucket is not made in passing."""
    if has_folders(folder):
        folder.mkdir(parents=True, exist_ok=True)


def has_folders(path: Path) -> bool:
    """Tell what knows folders from object storage, which knows only names with slashes in them."""
    if isinstance(path, Path):
        return True
    from upath.implementations.cloud import CloudPath

    return not isinstance(path, CloudPath)


@contextmanager
def as_store_error(verb: str, path: Path) -> Iterator[None]:
    """Turn a fault into a StoreError that says what can't be done, with which path, and why."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        # What object storage raises depends on the package that speaks to it.
        if isinstance(path, Path) and not isinstance(error, OSError):
            raise
        raise StoreError(f"can't {verb} {path}: {reason(error)}") from error


def _remote(path: Path) -> tuple[Any, str]:
    """Take a UPath apart: (file system, path in it)."""
    there: Any = path
    return there.fs, there.path
