"""`--devices` and `--trace`, as one types them."""

import gzip
import json

import pytest

FIVE = ("-o", "adam", "--learning-rate", "0.01:0.5:5", "--json")


@pytest.fixture
def four_devices(monkeypatch):
    """Let processes started from now on find four devices."""
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=4")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")


def test_four_devices_make_the_table_of_one(four_devices, start, words, tmp_path):
    runs = [start("run", *words, *FIVE, "--name", f"on{num}", "--devices", num) for num in ("1", "4")]
    said = [run.communicate() for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    one, four = (json.loads(out) for out, _ in said)
    numbers = [{name: value for name, value in row.items() if isinstance(value, int | float)} for row in (*one, *four)]
    assert numbers[1] == pytest.approx(numbers[0], rel=1e-5)
    assert numbers[0]["num_points"] == 5 and numbers[0].keys() >= {"train_loss", "gap", "learning_rate"}
    manifests = [json.loads((tmp_path / "results" / name / "manifest.json").read_text()) for name in ("on1", "on4")]
    assert [manifest["device"]["devices"] for manifest in manifests] == [1, 4]
    # What several devices computed is kept for one, and the other way round.
    assert manifests[0]["cells"] == manifests[1]["cells"]


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize(
    ("given", "said"),
    [("99", "accepted: 1 to "), ("0", "0 is not accepted"), ("-1", "-1 is not"), ("two", "'two'"), ("1.5", "'1.5'")],
)
def test_devices_that_are_not_here(optbench, words, tmp_path, command, given, said):
    answer = optbench(command, *words[:-1], "-o", "sgd", "--device", "cpu", "--devices", given)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "devices" in answer.err and said in answer.err
    assert ("--xla_force_host_platform_device_count=99" in answer.err) == (given == "99")
    assert not (tmp_path / "results").exists()


def test_a_trial_is_timed_on_one_device(optbench, words):
    answer = optbench("throughput", *words[:-1], "-o", "sgd", "--devices", "2")
    assert (answer.code, answer.out) == (2, "")
    assert "--devices" in answer.err


def test_a_trace_that_perfetto_opens(optbench, words, tmp_path):
    said = optbench("run", *words, "-o", "sgd", "--learning-rate", "0.1", "--trace", "made/for me")
    assert said.code == 0
    path = tmp_path / "made" / "for me" / "perfetto_trace.json.gz"
    assert said.err.splitlines()[-1] == "trace kept in made/for me/perfetto_trace.json.gz; ui.perfetto.dev opens it"
    events = json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]
    spans = {event.get("name", "") for event in events}
    assert {"compile quadratic[condition=2.0,dim=3] / sgd", "run quadratic[condition=2.0,dim=3] / sgd"} <= spans


def test_a_trace_takes_the_place_of_the_last(tiny, tmp_path):
    for name in ("first", "second"):
        tiny(name, trace=tmp_path)
    assert (tmp_path / "perfetto_trace.json.gz").is_file()
    assert not list(tmp_path.glob("plugins/profile/*/perfetto_trace.json.gz"))


def test_a_trace_that_cannot_be_written(optbench, words, tmp_path):
    (tmp_path / "taken").touch()
    answer = optbench("run", *words, "-o", "sgd", "--trace", "taken")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert answer.err.startswith("optbench: can't write taken: ")
    # Refused before any work.
    assert not (tmp_path / "results").exists()
