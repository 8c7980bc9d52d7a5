"""An environment in which one package has another version, and all else is as here."""

import os
import re
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import Distribution, PackageNotFoundError, distributions, version
from importlib.util import find_spec
from pathlib import Path
from venv import EnvBuilder

from optbench.errors import StoreError, one_line

#: Runs a command and hands on each line that it says: (its exit code, all lines).
Call = Callable[[Sequence[str], Callable[[str], None]], tuple[int, list[str]]]

#: Characters that are told of a line: some of XLA's have thousands.
LONG = 200

_PIP_CONFIG = "pip.ini" if os.name == "nt" else "pip.conf"


class VersionError(Exception):
    """Tell in one line why a version of a package gave no run."""


def unheard(line: str) -> None:
    """Hear a line, and let it be."""


def run_command(command: Sequence[str], hear: Callable[[str], None]) -> tuple[int, list[str]]:
    """Run a command to its end, or to the exception that ends this call, in a group of its own."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    options = {"text": True, "errors": "replace", "start_new_session": True}
    lines: list[str] = []
    with subprocess.Popen(command, **pipes, **options) as process:
        try:
            for line in process.stdout or ():
                lines.append(line.rstrip())
                hear(lines[-1])
        except BaseException:
            # With what it started: pip starts a second one.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
    return process.returncode, lines


@contextmanager
def environment(package: str, number: str, call: Call) -> Iterator[Path]:
    """Yield the Python of an environment with a version of a package, which is removed afterwards.

    Raises VersionError if that version can't be had, StoreError if no environment can be made.
    """
    with tempfile.TemporaryDirectory(prefix="optbench-", ignore_cleanup_errors=True) as folder:
        has_pip = find_spec("pip") is not None
        python = make_environment(Path(folder), with_pip=not has_pip)
        pip = (
            [sys.executable, "-P", "-m", "pip", "--python", str(python)]
            if has_pip
            else [str(python), "-P", "-m", "pip"]
        )
        _install(package, number, pip, call)
        installed = _version(Path(folder), package)
        if installed != number:
            raise VersionError(f"{package}=={number} was asked for, but {installed} was installed")
        yield python


def _packages(environment: Path) -> Path:
    """Locate the folder of an environment's own packages."""
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(environment), "platbase": str(environment)}))


def _version(environment: Path, package: str) -> str | None:
    """Return the version of a package in an environment: its own, else the one inherited from here."""
    for found in Distribution.discover(name=package, path=[str(_packages(environment))]):
        return found.version
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def make_environment(folder: Path, with_pip: bool = False) -> Path:
    """Make an environment that inherits all packages of this one, behind its own, and return its Python.

    optbench is inherited with them, also where an editable install takes it from a checkout: what stands in the .pth
    files of the inherited folders is heeded. Raises StoreError.
    """
    builder = EnvBuilder(symlinks=os.name != "nt", with_pip=with_pip)
    try:
        builder.create(folder)
    except (OSError, subprocess.SubprocessError) as error:
        raise StoreError(f"can't make an environment ({one_line(error)})") from error
    users = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    # Not include-system-site-packages: that is the base Python's, not this environment's.
    inherited = [f"import site; site.addsitedir({path!a})" for path in (*users, *site.getsitepackages())]
    (_packages(folder) / "inherited.pth").write_text("\n".join(inherited))
    config = Path(sys.prefix) / _PIP_CONFIG
    if config.is_file():
        # Where the packages come from: pip looks for it beside the Python that it installs for.
        shutil.copy(config, folder)
    return Path(builder.ensure_directories(folder).env_exe)


def _install(package: str, number: str, pip: Sequence[str], call: Call) -> None:
    """Install a version of a package, and what it needs in other versions than are here."""
    names = [package, *(_plugins() if package == "jax" else ())]
    options = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-warn-conflicts"]
    code, lines = call([*pip, "install", *options, *(f"{name}=={number}" for name in names)], unheard)
    if code:
        errors = [line for line in lines if line.lower().startswith("error")]
        raise VersionError(f"{package}=={number} can't be installed: {last([*lines[-1:], *errors])}")


def _plugins() -> list[str]:
    """Name jax's plug-ins for GPUs: jax falls back to the CPU where theirs is another version."""
    names = {str(found.metadata["Name"]) for found in distributions()}
    return sorted(name for name in names if re.fullmatch(r"jax-(cuda|rocm)\d+-(plugin|pjrt)", name))


def last(lines: Sequence[str]) -> str:
    """Return the last line that says anything, its end cut off where it is long."""
    return next((line.strip()[:LONG] for line in reversed(lines) if line.strip()), "it says nothing")
