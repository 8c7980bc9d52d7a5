"""jax's settings that change numbers, pinned: a user's environment or script may have set them otherwise."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import jax

#: Setting -> value, jax's own default in 0.10 to 0.12: so a key, which knows jax's version, stands for one set of
#: numbers. What a version of jax doesn't have is left out. What only logs, caches, moves or refuses isn't here.
PINNED: dict[str, Any] = {
    # What type an array has; a run's dtype turns 64 bits on.
    "jax_enable_x64": False,
    "jax_explicit_x64_dtypes": "warn",
    "jax_numpy_dtype_promotion": "standard",
    # How random numbers are drawn from a key or seed.
    "jax_default_prng_impl": "threefry2x32",
    "jax_threefry_partitionable": True,
    "jax_threefry_gpu_kernel_lowering": False,
    "jax_enable_custom_prng": False,
    "jax_random_seed_offset": 0,
    "jax_high_dynamic_range_gumbel": False,
    "jax_accurate_erf_inv": False,
    # How products are rounded; a run's dtype sets it.
    "jax_default_matmul_precision": None,
    # How functions are differentiated and staged: other formulas and other orders of the same sums.
    "jax_softmax_custom_jvp": False,
    "jax_use_direct_linearize": True,
    "jax_custom_jvp3": False,
    "jax_custom_vjp3": False,
    "jax_remat3": False,
    "jax_remat_barrier_no_cotangents": False,
    "jax_scan3": False,
    "eager_constant_folding": False,
    "jax_use_simplified_jaxpr_constants": False,
    "jax_embedded_constants_max_bytes": 32,
    "jax_disable_jit": False,
    "jax_pallas_use_mosaic_gpu": True,
    "jax_pallas_poison_buffers": False,
    "jax_ragged_dot_use_ragged_dot_instruction": True,
    "jax_ragged_dot_use_gpu_pallas_triton_lowering": False,
    "jax_bcoo_cusparse_lowering": False,
    "jax_use_magma": "auto",
    "jax_use_hlo_logistic_lowering": None,
    # How much XLA rearranges: what is fused is rounded otherwise.
    "jax_disable_most_optimizations": False,
    "jax_optimization_level": "UNKNOWN",
    "jax_exec_time_optimization_effort": 0.0,
    "jax_memory_fitting_effort": 0.0,
    "jax_memory_fitting_level": "O2",
    "jax_compiler_enable_remat_pass": True,
    "jax_enable_pgle": False,
    "jax_use_shardy_partitioner": True,
    "jax_xla_profile_version": 0,
    # What raises where numbers would go on: a trial that diverges is a result.
    "jax_debug_nans": False,
    "jax_debug_infs": False,
    "jax_debug_key_reuse": False,
    "jax_numpy_rank_promotion": "allow",
    "jax_legacy_prng_key": "allow",
    "jax_allow_f16_reductions": True,
    "jax_error_checking_behavior_nan": "ignore",
    "jax_error_checking_behavior_divide": "ignore",
    "jax_error_checking_behavior_oob": "ignore",
}


@contextmanager
def pinned() -> Iterator[None]:
    """Compute with jax's settings as in PINNED, in this thread, and leave them as they were."""
    holders = jax.config._value_holders  # pyright: ignore[reportAttributeAccessIssue] (jax has no public way to all)
    with ExitStack() as stack:
        for name, value in PINNED.items():
            holder = holders.get(name)
            if callable(holder):
                stack.enter_context(holder(value))
            elif holder is not None and holder.value != value:
                # A flag, which belongs to the process.
                stack.callback(jax.config.update, name, holder.value)
                jax.config.update(name, value)
        yield
