"""Load a user's file, or what stands in a module of theirs, anew where any of its code has changed."""

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from optbench.errors import RequestError, nearest, one_line
from optbench.planning.code_digest import code_digest
from optbench.planning.in_process import handed_over, is_in_process
from optbench.planning.isolation import apart
from optbench.planning.named_files import named_files
from optbench.planning.plugin_imports import in_view, offer
from optbench.planning.plugin_sources import Sources, find, sources_of


class Plugin(NamedTuple):
    """What a plug-in names, and all that its numbers depend on."""

    value: Any
    sources: Sources
    #: Digests of the user's code, as it was loaded.
    code: tuple[str, ...]
    #: Its own modules by name; those imported while it runs join them.
    modules: dict[str, ModuleType]

    def in_view(self) -> AbstractContextManager[None]:
        """Let its code find its own modules, whatever those of other plug-ins are called."""
        return in_view(self.sources.modules, self.modules)

    def data_files(self) -> frozenset[Path]:
        """List the files that its code names and that are there now."""
        return named_files(self.sources.modules.values(), self.modules.values())


class _Loaded(NamedTuple):
    module: ModuleType
    sources: Sources
    #: The content of each file of its code when it was loaded.
    content: Mapping[Path, bytes]
    modules: dict[str, ModuleType]


#: Name and file of a plug-in's module -> what was loaded last.
_recent: dict[tuple[str, Path], _Loaded] = {}
#: Digests of the content that a file of a user's code had when it was imported last.
_imported: dict[Path, bytes] = {}


def load_plugin(text: str) -> Plugin:
    """Load what `./file.py:name` or `package.module:name` stands for. Its code runs with the user's rights.

    Raises RequestError, in one line, where there is no such file, module or name, or importing it fails.
    """
    if is_in_process(text):
        value, sources, identity = handed_over(text)
        code = tuple(_digest(path, path.read_bytes()) for path in sources.modules.values())
        return Plugin(value, sources, (*code, *identity), {})
    location, _, name = text.rpartition(":")
    try:
        with apart():
            loaded = _load(location)
    except RequestError:
        raise
    except (Exception, SystemExit) as error:
        raise RequestError(f"plug-in {text}: importing it raised {one_line(error)}") from error
    if not hasattr(loaded.module, name):
        public = [key for key, value in vars(loaded.module).items() if callable(value) and not key.startswith("_")]
        raise RequestError(f"plug-in {text}: {location} has no {name!r}{nearest(name, public)}")
    code = tuple(_digest(path, content) for path, content in loaded.content.items())
    return Plugin(getattr(loaded.module, name), loaded.sources, code, loaded.modules)


def _digest(path: Path, content: bytes) -> str:
    try:
        return code_digest(content) if path.suffix == ".py" else sha256(content).hexdigest()
    except (SyntaxError, ValueError):
        return sha256(content).hexdigest()


def _load(location: str) -> _Loaded:
    """Load a module, or return the one that was loaded before where all of its code is as it was."""
    importlib.invalidate_caches()
    name, path, folder = _locate(location)
    sources = sources_of(name, path, folder)
    content = {file: file.read_bytes() for file in sources.modules.values()}
    recent = _recent.get((name, path))
    if recent is not None and recent.content == content:
        return recent._replace(sources=sources)
    _forget_changed(sources, content)
    offer(folder, content)
    loaded: dict[str, ModuleType] = {}
    with in_view(sources.modules, loaded), _without_bytecode():
        module = _execute(name, path, content[path]) if location.endswith(".py") else _import(location, folder)
    _recent[name, path] = _Loaded(module, sources, content, loaded)
    return _recent[name, path]


def _locate(location: str) -> tuple[str, Path, Path]:
    """Tell the name of a plug-in's module, its file, and the folder in which it finds others. Raises RequestError."""
    if location.endswith(".py"):
        path = Path(os.path.expanduser(location)).resolve()
        if not path.is_file():
            where = "" if str(path) == location else f": {path} is {'a folder' if path.is_dir() else 'no file'}"
            raise RequestError(
                f"plug-in file {location} is not here{where}; accepted: ./file.py:name or package.module:name"
            )
        digest = sha256(os.fsencode(path) + path.read_bytes()).hexdigest()[:12]
        return f"optbench_plugin_{path.stem}_{digest}", path, path.parent
    folder = Path.cwd()
    spec = find(location, folder)
    if spec is None or not spec.origin or not spec.has_location:
        raise ModuleNotFoundError(f"No module named {location!r}")
    return location, Path(spec.origin).resolve(), folder


def _forget_changed(sources: Sources, content: Mapping[Path, bytes]) -> None:
    """Have a plug-in's modules imported again where any of them has changed since it was imported."""
    digests = {file: sha256(held).digest() for file, held in content.items()}
    if any(_imported.get(file, digest) != digest for file, digest in digests.items()):
        for name in sources.modules:
            sys.modules.pop(name, None)
    _imported.update(digests)


def _execute(name: str, path: Path, source: bytes) -> ModuleType:
    """Run a file as a module."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name. Not by its loader, whose bytecode may be a second older than the text.
    sys.modules[name] = module
    # Tracing gives the file's name to XLA, which takes no bytes that Python couldn't read as text.
    exec(compile(source, str(path).encode(errors="backslashreplace").decode(), "exec"), vars(module))
    return module


def _import(name: str, folder: Path) -> ModuleType:
    """Import a module that may lie in the folder."""
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))


@contextmanager
def _without_bytecode() -> Iterator[None]:
    """Leave no bytecode behind: it may be a second older than a text, and be taken for it."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before
