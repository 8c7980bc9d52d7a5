"""Devices, precision and the compilation cache: what a run stands on."""

import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import jax
import platformdirs
from jax.experimental.compilation_cache.compilation_cache import reset_cache

from optbench.sweep.convolutions import in_fast_layout
from optbench.sweep.jax_settings import pinned

#: `jax.Device`, which type checkers take for a variable.
Device: TypeAlias = Any

#: Share of a device's memory that a sweep may plan to use; the rest is for the allocator and what runs beside it.
USABLE = 0.8


#: For programs that run once or twice: compiling them well costs more than it gives (the initial parameters of a small
#: network compile in 0.14 s in place of 0.47 s).
RUN_ONCE: dict[str, Any] = {"xla_backend_optimization_level": "0"}
#: For programs that draw random numbers at every step, which a draw a leaf makes slow to compile: noisy_sgd, dpsgd and
#: sophia compile in a quarter to a third of the time, and run as fast (0.33 and 0.32, 2.9 and 2.7, 0.61 and 0.62 s).
DRAWS_BITS: dict[str, Any] = {"xla_backend_optimization_level": "1"}
#: For loops on a GPU: each body is started as one graph, however few kernels it has. By default those of fewer than
#: five are started one by one, and a step of sgd on a small quadratic took 19 us where adam's longer one took 7.
ONE_LAUNCH: dict[str, Any] = {"xla_gpu_graph_min_graph_size": 1}
#: For programs whose numbers are kept, on a GPU: it is not tried out which way to multiply is the fastest just then,
#: nor added up in the order in which threads happen to come. A sweep's numbers differed from one process to another.
SAME_NUMBERS: dict[str, Any] = {"xla_gpu_deterministic_ops": True}


@contextmanager
def settings(dtype: str, device: Device) -> Iterator[None]:
    """Trace and run at a precision on a device; in each thread anew, since jax's settings belong to a thread.

    Its other settings that change numbers are pinned: `jax_settings` lists them.
    """
    matmul = "default" if dtype == "bfloat16" else "highest"
    precision = jax.enable_x64(dtype == "float64"), jax.default_matmul_precision(matmul)
    with pinned(), precision[0], precision[1], jax.default_device(device), in_fast_layout():
        yield


def pick(kind: str | None) -> Device:
    """Return the first device of a kind ("cpu", "gpu"), or jax's default one. Raises ValueError where there is none."""
    try:
        here = jax.devices()
    # an assertion of jax's own, where the platform is known and has no device
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"JAX_PLATFORMS={os.environ.get('JAX_PLATFORMS', '')!r}: jax can't start {_platform_of(error)}; accepted: "
            "cpu, cuda where jax's plug-in for it is installed, or unset"
        ) from error
    if kind is None:
        return here[0]
    try:
        return jax.devices(kind)[0]
    except RuntimeError as error:
        platforms = sorted({device.platform for device in here})
        raise ValueError(f"device {kind!r} is not here; accepted: {', '.join(platforms)}") from error


def _platform_of(error: Exception) -> str:
    """Return the platform that jax says it can't start."""
    match = re.search(r"backend '(\w+)'", str(error))
    return repr(match[1]) if match else "any of them"


def pick_several(kind: str | None, num: int) -> tuple[Device, ...]:
    """Return the first devices of a kind. Raises ValueError where there are fewer."""
    first = pick(kind)
    here = jax.local_devices(backend=first.platform)
    if num in range(1, len(here) + 1):
        return tuple(here[:num])
    refusal = f"devices: {num} is not accepted; accepted: 1 to {len(here)}, the {first.platform} devices here"
    if first.platform == "cpu" and num > 1:
        refusal += f"; XLA_FLAGS=--xla_force_host_platform_device_count={num} makes more"
    raise ValueError(refusal)


def memory_limit_bytes(*chosen: Device) -> int:
    """Say how many bytes a sweep may plan for on each of some devices.

    Of the one that has least, or of the host's free memory where they are CPUs, which share it.
    """
    stats = [device.memory_stats() or {} for device in chosen]
    if all("bytes_limit" in of_one for of_one in stats):
        return int(USABLE * min(of_one["bytes_limit"] - of_one.get("bytes_in_use", 0) for of_one in stats))
    return int(USABLE * _free_host_bytes() / len(chosen))


def sweep_options(device: Device) -> dict[str, Any]:
    """Say how to compile what a sweep runs, so that its numbers are the same in every process."""
    return {} if device.platform == "cpu" else SAME_NUMBERS | ONE_LAUNCH


def timing_options(device: Device) -> dict[str, Any]:
    """Say how to compile a loop that is timed: as fast as it goes."""
    return {} if device.platform == "cpu" else ONE_LAUNCH


def cache_bytes(device: Device) -> int:
    """Say how much of what is worked on at once should stay close to the arithmetic.

    Of a CPU's cores, some of the second-level caches; on anything else so much that its launches weigh little.
    """
    return 2**22 if device.platform == "cpu" else 2**28


def cache_folder() -> Path:
    """Locate the persistent compilation cache in the user's cache folder."""
    return Path(platformdirs.user_cache_dir("optbench")) / "xla"


def use_compile_cache() -> str | None:
    """Turn the persistent compilation cache on; return why it is off where its folder can't be written."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"{folder} can't be written")
    except OSError as error:
        return f"compilation cache is off: {error}"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return None


def refuse_compile_cache() -> str:
    """Turn the persistent compilation cache off, also where an earlier run in this process turned it on."""
    jax.config.update("jax_compilation_cache_dir", None)
    # jax looks at the folder once, at its first compilation.
    reset_cache()
    return "compilation cache is off: as asked"


_hits: list[str] = []


def _note(event: str, **_: Any) -> None:
    if event == "/jax/compilation_cache/cache_hits":
        _hits.append(event)


jax.monitoring.register_event_listener(_note)


def cache_hits() -> int:
    """Count the programs that came out of the persistent compilation cache so far: those weren't compiled."""
    return len(_hits)


def describe(device: Device) -> dict[str, str | int | None]:
    """Describe the device and the host for a manifest."""
    version = getattr(device.client, "platform_version", "")
    return {
        "platform": device.platform,
        "device": device.device_kind,
        "driver": version.splitlines()[0] if version else None,
        "cpu": _cpu_model(),
        "cpu_count": os.cpu_count(),
        "host_memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "system": platform.platform(),
    }


def _free_host_bytes() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
