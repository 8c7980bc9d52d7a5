"""Import what plug-ins name: the modules beside them, each its own, and optbench's packages by their old names."""

import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from optbench.planning.plugin_sources import OLD_NAMES, find_elsewhere, is_own

#: A file of a plug-in's code -> the folders in which it finds modules.
_folders: dict[Path, set[Path]] = {}
_lock = threading.RLock()


class _OldName:
    """Load a module by an old name: it is the very module of today."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(_new_name(spec.name))
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        # Python has just told the module that it is called otherwise.
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state


class _PluginFinder:
    """Find modules for import lines in plug-ins, now or when they run; for any other import line none."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        importer = _importing_file()
        if importer not in _folders:
            return None
        if path is None:
            spec = PathFinder.find_spec(name, sorted(map(str, _folders[importer])))
            if spec is not None:
                return spec
        top = name.partition(".")[0]
        if top not in OLD_NAMES or (_is_found(top) if path is None else not _is_alias(top)):
            return None
        try:
            import_module(_new_name(name))
        except ModuleNotFoundError:
            return None
        return ModuleSpec(name, _OldName(), is_package=path is None)  # pyright: ignore[reportArgumentType]


def _new_name(name: str) -> str:
    top, _, rest = name.partition(".")
    return f"{OLD_NAMES[top]}.{rest}" if rest else OLD_NAMES[top]


def _is_found(top: str) -> bool:
    """Say whether there is a module under an old name that isn't optbench's, seen from its checkout."""
    spec = find_elsewhere(top)
    places = [spec.origin or "", *(spec.submodule_search_locations or ())] if spec else []
    return spec is not None and not any(is_own(Path(location).resolve()) for location in places if location)


def _is_alias(top: str) -> bool:
    """Say whether a module under an old name is optbench's, and not the user's own."""
    module = sys.modules.get(top)
    return module is not None and module is sys.modules.get(OLD_NAMES[top])


def _importing_file() -> Path | None:
    """Locate the file whose import line, or call of `import_module`, is being carried out."""
    frame = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "importlib":
        frame = frame.f_back
    file = frame.f_globals.get("__file__") if frame is not None else None
    return Path(file).resolve() if isinstance(file, str) else None


def offer(folder: Path, files: Iterable[Path]) -> None:
    """Let the modules of a folder be found by the import lines of a plug-in's files, and optbench's by old names."""
    if _PluginFinder not in sys.meta_path:
        # First, since a module beside a plug-in comes before an installed one, as it does for a script.
        sys.meta_path.insert(0, _PluginFinder)  # pyright: ignore[reportArgumentType]
    for file in files:
        _folders.setdefault(file, set()).add(folder)


@contextmanager
def in_view(files: Mapping[str, Path], loaded: dict[str, ModuleType]) -> Iterator[None]:
    """Let a plug-in see its own modules, those `loaded` before and those imported now, under the names of `files`.

    Two plug-ins in two folders may each have a `helper` beside them, and one an `optimizers` of its own where the other
    means optbench's. Other threads with other plug-ins wait.
    """
    with _lock:
        hidden = {name: module for name, module in list(sys.modules.items()) if _is_another(name, module, files)}
        hidden |= {name: sys.modules[name] for name, own in loaded.items() if sys.modules.get(name, own) is not own}
        for name in hidden:
            del sys.modules[name]
        sys.modules.update(loaded)
        try:
            yield
        finally:
            loaded.update({name: sys.modules[name] for name in files if name in sys.modules})
            for name in _old_names():
                del sys.modules[name]
            sys.modules.update(hidden)


def _is_another(name: str, module: ModuleType, files: Mapping[str, Path]) -> bool:
    """Say whether a module isn't the one that a plug-in means by its name."""
    if name in files:
        file = getattr(module, "__file__", None)
        return file is None or Path(file).resolve() != files[name]
    top = name.partition(".")[0]
    return top in OLD_NAMES and top not in files


def _old_names() -> list[str]:
    """List the old names under which modules of optbench are to be found just now."""
    old = [name for name in list(sys.modules) if name.partition(".")[0] in OLD_NAMES]
    return [name for name in old if sys.modules[name] is sys.modules.get(_new_name(name))]
