"""How programs are compiled on each kind of device."""

from types import SimpleNamespace

import jax
import pytest

from optbench.sweep import devices


@pytest.mark.parametrize("options", [devices.sweep_options, devices.timing_options], ids=["sweep", "timing"])
def test_options_of_a_cpu_are_its_own(options):
    assert options(SimpleNamespace(platform="cpu")) == {}


@pytest.mark.parametrize("options", [devices.sweep_options, devices.timing_options], ids=["sweep", "timing"])
def test_options_of_a_gpu_are_known_to_the_compiler(options):
    """It refuses names that it doesn't know, also where there is no such device."""
    lowered = jax.jit(lambda x: x + 1).lower(1.0)
    asked = options(SimpleNamespace(platform="gpu"))
    assert lowered.compile(asked)(1.0) == 2.0
    with pytest.raises(Exception, match="No such compile option"):
        lowered.compile(asked | {"xla_gpu_no_such_thing": True})


def test_only_sweeps_give_up_speed_for_the_same_numbers():
    gpu = SimpleNamespace(platform="gpu")
    assert devices.sweep_options(gpu).items() > devices.timing_options(gpu).items()


class Gpu:
    """A device that says how many bytes it has and uses; the host's says nothing."""

    platform = "gpu"

    def __init__(self, **stats):
        self.memory_stats = lambda: stats or None


def test_less_stays_close_to_the_arithmetic_of_a_cpu():
    """Its second-level caches hold some MB, and what a GPU is started for should be much more."""
    cpu, gpu = (devices.cache_bytes(SimpleNamespace(platform=name)) for name in ("cpu", "gpu"))
    assert 2**20 <= cpu <= 2**25 < gpu


class TestMemory:
    def test_a_sweep_plans_for_four_fifths_of_what_is_free(self):
        assert devices.memory_limit_bytes(Gpu(bytes_limit=1000, bytes_in_use=100)) == 720
        assert devices.memory_limit_bytes(Gpu(bytes_limit=1000)) == 800

    def test_where_one_device_says_nothing_the_host_s_memory_is_shared(self, monkeypatch):
        monkeypatch.setattr(devices, "_free_host_bytes", lambda: 1000)
        assert devices.memory_limit_bytes(Gpu()) == 800
        assert devices.memory_limit_bytes(Gpu(), Gpu(bytes_limit=10)) == 400

    @pytest.mark.parametrize(("text", "free"), [("MemTotal: 9 kB\nMemAvailable:   7 kB\n", 7 * 1024), ("", 12)])
    def test_the_host_s_free_memory_is_what_linux_says_or_what_is_left(self, monkeypatch, text, free):
        monkeypatch.setattr(devices.Path, "read_text", lambda path: text)
        monkeypatch.setattr(devices.os, "sysconf", {"SC_AVPHYS_PAGES": 3, "SC_PAGE_SIZE": 4}.__getitem__)
        assert devices._free_host_bytes() == free


def test_a_device_and_its_host_are_described(monkeypatch):
    words = "vendor_id : abacus\nmodel name\t: Abacus: 12 beads\nmodel name\t: other\n"
    monkeypatch.setattr(devices.Path, "read_text", lambda path: words)
    monkeypatch.setattr(devices.os, "sysconf", {"SC_PHYS_PAGES": 3, "SC_PAGE_SIZE": 4}.__getitem__)
    client = SimpleNamespace(platform_version="CUDA 12\nmore")
    described = devices.describe(SimpleNamespace(client=client, platform="gpu", device_kind="H1"))
    assert (described["cpu"], described["host_memory_bytes"], described["driver"]) == (
        "Abacus: 12 beads",
        12,
        "CUDA 12",
    )
    assert (described["platform"], described["device"]) == ("gpu", "H1")
    assert devices.describe(SimpleNamespace(client=None, platform="cpu", device_kind="cpu"))["driver"] is None


class TestPick:
    def test_the_first_of_a_kind_or_of_jax_s_own(self):
        assert devices.pick(None) is jax.devices()[0] and devices.pick("cpu") is jax.devices("cpu")[0]
        assert devices.pick_several("cpu", 1) == (jax.devices("cpu")[0],)

    def test_a_kind_that_is_not_here_names_those_that_are(self):
        with pytest.raises(ValueError, match=r"^device 'tpu' is not here; accepted: .*cpu"):
            devices.pick("tpu")

    @pytest.mark.parametrize(("num", "more"), [(0, False), (-1, False), (1000, True)])
    def test_a_number_of_devices_that_are_not_here_is_refused(self, num, more):
        """XLA makes as many of a CPU as it is asked for, but not none."""
        with pytest.raises(ValueError, match=f"^devices: {num} is not accepted; accepted: 1 to ") as refused:
            devices.pick_several("cpu", num)
        assert str(refused.value).endswith(f"count={num} makes more") == more

    def test_a_platform_that_cannot_start_is_named(self, monkeypatch):
        def fail(message):
            def devices_of():
                raise RuntimeError(message)

            return devices_of

        for message, words in (
            ("Unable to initialize backend 'cuda': no", "can't start 'cuda'"),
            ("no", "any of them"),
        ):
            monkeypatch.setattr(devices.jax, "devices", fail(message))
            with pytest.raises(ValueError, match=words):
                devices.pick("cpu")


class TestCache:
    @pytest.fixture(autouse=True)
    def settings_as_before(self):
        names = ("cache_dir", "min_compile_time_secs", "min_entry_size_bytes")
        names = [name for name in jax.config.values if name.startswith("jax_") and name.endswith(names)]
        before = {name: jax.config.values[name] for name in names}
        yield
        for name, value in before.items():
            jax.config.update(name, value)

    def test_programs_are_kept_however_small_and_quick(self, monkeypatch, tmp_path):
        monkeypatch.setattr(devices, "cache_folder", lambda: tmp_path / "above" / "xla")
        for _ in "ab":
            assert devices.use_compile_cache() is None
        assert (tmp_path / "above" / "xla").is_dir()
        assert jax.config.values["jax_compilation_cache_dir"] == str(tmp_path / "above" / "xla")
        assert jax.config.values["jax_persistent_cache_min_compile_time_secs"] == 0
        assert jax.config.values["jax_persistent_cache_min_entry_size_bytes"] == -1

    def test_without_a_folder_it_is_said_why_none_are_kept(self, monkeypatch, tmp_path):
        before = jax.config.values["jax_compilation_cache_dir"]
        (tmp_path / "file").touch()
        monkeypatch.setattr(devices, "cache_folder", lambda: tmp_path / "file" / "xla")
        assert "Not a directory" in (devices.use_compile_cache() or "")
        monkeypatch.setattr(devices, "cache_folder", lambda: tmp_path)
        monkeypatch.setattr(devices.os, "access", lambda *_: False)
        assert devices.use_compile_cache() == f"compilation cache is off: {tmp_path} can't be written"
        assert jax.config.values["jax_compilation_cache_dir"] == before

    def test_only_programs_out_of_the_cache_count_as_hits(self):
        before = devices.cache_hits()
        jax.monitoring.record_event("/jax/compilation_cache/cache_misses")
        assert devices.cache_hits() == before
        jax.monitoring.record_event("/jax/compilation_cache/cache_hits")
        assert devices.cache_hits() == before + 1


@pytest.mark.parametrize(
    ("dtype", "wide", "products"),
    [("bfloat16", False, "default"), ("float32", False, "highest"), ("float64", True, "highest")],
)
def test_a_precision_is_that_of_numbers_and_of_products(dtype, wide, products):
    with devices.settings(dtype, jax.devices("cpu")[0]):
        assert (jax.config.jax_enable_x64, jax.config.jax_default_matmul_precision) == (wide, products)
