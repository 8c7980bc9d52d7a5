"""jax's settings that change numbers: pinned, or known not to change any."""

import json
import os
import subprocess
import sys
from importlib.metadata import version

import jax
import pytest

from optbench.sweep.devices import pick, settings
from optbench.sweep.jax_settings import PINNED, pinned

#: What jax 0.10.2 has beside PINNED, and why no number depends on it.
HARMLESS = {
    "are said or refused": """
        check_vma jax_auto_pcast jax_captured_constants_report_frames jax_captured_constants_warn_bytes
        jax_check_proxy_envs jax_check_static_indices jax_check_tracer_leaks jax_compiler_detailed_logging_min_ops
        jax_debug_leaked_clients_on_clear_backends jax_debug_log_modules jax_disable_bwd_checks
        jax_disable_vmap_shmap_error jax_disallow_mesh_context_manager jax_distributed_debug jax_dump_ir_modes
        jax_dump_ir_to jax_enable_checks jax_explain_cache_misses jax_include_debug_info_in_dumps
        jax_include_full_tracebacks_in_locations jax_log_checkpoint_residuals jax_log_compiles jax_logging_level
        jax_mutable_array_checks jax_no_execution jax_no_tracing jax_pallas_enable_debug_checks
        jax_pallas_verbose_errors jax_pprint_use_color jax_raise_persistent_cache_errors
        jax_remove_size_one_mesh_axis_from_type jax_send_traceback_to_runtime jax_source_url_schema jax_thread_guard
        jax_traceback_filtering jax_traceback_in_locations_limit jax_tracer_error_num_traceback_frames
        jax_hlo_source_file_canonicalization_regex jax_array_garbage_collection_guard
        jax_experimental_unsafe_xla_runtime_errors""",
    "are kept of programs": """
        jax_compilation_cache_check_contents jax_compilation_cache_dir jax_compilation_cache_expect_pgle
        jax_compilation_cache_include_metadata_in_key jax_compilation_cache_max_size jax_enable_compilation_cache
        jax_persistent_cache_enable_xla_caches jax_persistent_cache_min_compile_time_secs
        jax_persistent_cache_min_entry_size_bytes jax_remove_custom_partitioning_ptr_from_cache_key
        jax_share_binary_between_hosts jax_share_binary_between_hosts_timeout_ms jax_pgle_aggregation_percentile
        jax_pgle_profiling_runs""",
    "say where is computed, and the kind of device is in the key": """
        jax_backend_target jax_cuda_visible_devices jax_default_device jax_mock_gpu_topology jax_num_cpu_devices
        jax_oneapi_visible_devices jax_pjrt_client_create_options jax_platform_name jax_platforms
        jax_rocm_visible_devices jax_sort_devices_by_process_index jax_xla_backend mock_num_gpu_processes""",
    "move data, or hosts into line": """
        jax_cpu_collectives_implementation jax_cpu_enable_async_dispatch jax_cpu_get_global_topology_timeout_minutes
        jax_cpu_get_local_topology_timeout_minutes jax_cross_host_transfer_socket_address
        jax_cross_host_transfer_timeout_seconds jax_cross_host_transfer_transfer_size
        jax_cross_host_transport_addresses jax_enable_preemption_service jax_enable_recoverability
        jax_force_dcn_cross_host_transfers jax_transfer_guard jax_transfer_guard_device_to_device
        jax_transfer_guard_device_to_host jax_transfer_guard_host_to_device jax_refs_to_pins""",
    "are for programs that are exported": """
        jax2tf_associative_scan_reductions jax2tf_default_native_serialization jax_export_calling_convention_version
        jax_export_ignore_forward_compatibility jax_serialization_version""",
    "are for kernels that nobody has written here": "jax_mosaic_allow_hlo jax_use_emit_pipeline_primitive",
}
#: Other values than jax's own, where it isn't the other truth.
OTHER = {
    "jax_explicit_x64_dtypes": "error",
    "jax_numpy_dtype_promotion": "strict",
    "jax_numpy_rank_promotion": "raise",
    "jax_default_prng_impl": "rbg",
    "jax_random_seed_offset": 3,
    "jax_default_matmul_precision": "bfloat16",
    "jax_embedded_constants_max_bytes": 10**6,
    "jax_use_magma": "off",
    "jax_optimization_level": "O1",
    "jax_exec_time_optimization_effort": 0.5,
    "jax_memory_fitting_effort": 0.5,
    "jax_memory_fitting_level": "O0",
    "jax_xla_profile_version": 1,
    "jax_legacy_prng_key": "error",
    "jax_error_checking_behavior_nan": "raise",
    "jax_error_checking_behavior_divide": "raise",
    "jax_error_checking_behavior_oob": "raise",
}
#: Names that this version of jax has.
HERE = [name for name in PINNED if name in jax.config.values]


@pytest.fixture
def otherwise():
    """Set every pinned setting to another value for the process."""
    before = {name: jax.config.values[name] for name in HERE}
    for name in HERE:
        jax.config.update(name, OTHER.get(name, not PINNED[name]))
    yield
    for name, value in before.items():
        jax.config.update(name, value)


@pytest.mark.skipif(version("jax") != "0.10.2", reason="another jax has other settings: look at them when it is locked")
def test_every_setting_of_jax_is_pinned_or_known_to_change_no_number():
    harmless = {name for names in HARMLESS.values() for name in names.split()}
    assert harmless == jax.config.values.keys() - PINNED.keys()


def test_what_is_pinned_is_jax_own_default():
    code = """if True:
        import json, jax
        from optbench.sweep.jax_settings import PINNED, pinned
        own = {name: str(value) for name, value in jax.config.values.items()}
        with pinned():
            pins = {name: str(value) for name, value in jax.config.values.items()}
        print(json.dumps([[own[name], pins[name]] for name in PINNED if name in own]))"""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_"))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=plain)
    assert all(own == pin for own, pin in json.loads(done.stdout))


def test_pins_hold_inside_and_leave_no_trace(otherwise):
    before = dict(jax.config.values)
    assert [name for name in HERE if jax.config.values[name] == PINNED[name]] == []
    with pinned():
        inside = dict(jax.config.values)
    assert dict(jax.config.values) == before
    with settings("float32", pick("cpu")):
        assert jax.config.values == inside | {
            "jax_default_matmul_precision": "highest",
            "jax_default_device": pick("cpu"),
        }
    assert dict(jax.config.values) == before


def test_a_name_that_jax_lacks_is_left_out(monkeypatch):
    monkeypatch.setitem(PINNED, "jax_no_longer_there", True)
    with pinned():
        pass


NOISY = {"problems": ["logistic_regression"], "optimizers": ["noisy_sgd"], "batch_size": "8"}


def test_numbers_and_keys_are_the_same_whatever_a_script_has_set(tiny, rows, request):
    plain = rows(tiny(**NOISY))
    assert plain
    jax.clear_caches()
    request.getfixturevalue("otherwise")
    assert rows(tiny("other", **NOISY, compile_cache=False)) == plain


def test_numbers_and_keys_are_the_same_whatever_the_environment_sets(tiny, rows, tmp_path):
    set_otherwise = {name.upper(): str(OTHER.get(name, not PINNED[name])) for name in HERE if name.startswith("jax_")}
    code = f"""if True:
        import jax
        from optbench import run
        assert jax.config.jax_enable_x64 and jax.config.jax_default_prng_impl == "rbg", "not heard"
        assert jax.config.jax_random_seed_offset == 3
        run(results={str(tmp_path / "results")!r}, name="other", learning_rate="0.1,0.5", steps=4, seeds=1,
            report_seeds=1, records=2, throughput=False, compile_cache=False, **{NOISY!r})"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, env=os.environ | set_otherwise)
    from optbench import load

    assert rows(load("other", tmp_path / "results")) == rows(tiny(**NOISY))
