import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optbench.request import Catalogue, OptimizerInfo, RequestError, list_suites, load_suite, override, parse_suite

MINIMAL = {"problems": ["quadratic"], "optimizers": ["sgd"]}
CATALOGUE = Catalogue({"quadratic": {"dim": 100}}, {"sgd": OptimizerInfo((1e-3, 1.0), {})})


def faults(values, catalogue=None):
    with pytest.raises(RequestError) as caught:
        parse_suite(values, catalogue=catalogue)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("suite", list_suites(), ids=lambda suite: suite.name)
def test_packaged_suites_are_described(suite):
    assert suite.description
    assert load_suite(suite.name) == suite
    assert parse_suite(suite.model_dump(exclude_none=True)) == suite


def test_packaged_suites_are_all_there():
    assert {suite.name for suite in list_suites()} >= {"smoke", "quick", "leaderboard", "standard"}


def test_toml_holds_entries_as_texts_and_tables(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        """
        optimizers = ["sgd", {spec = "adam", learning_rate = [1e-3, "1e-2:1e-1:2"]}]
        batch_size = [32, "full"]
        schedule = ["constant", "cosine[warmup=0.1]"]
        [[problems]]
        spec = "quadratic"
        steps = 500
        batch_size = 16
        """
    )
    suite = load_suite(path)
    assert suite.name == "mine"
    assert suite.problems[0].steps == 500
    assert suite.problems[0].batch_size == "16"
    assert suite.optimizers[1].learning_rate == "0.001,1e-2:1e-1:2"
    assert suite.batch_size == "32,full"
    assert suite.schedule == ("constant", "cosine[warmup=0.1]")


def test_all_faults_are_named_in_one_line(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(
        'problems = ["quadratc"]\noptimizers = ["sgd", {spec = "adam[", learnin_rate = 1}]\n'
        'learning_rate = "1e-3:x:4"\nsteps = 0\nepochs = 1\nstep = 3\n'
    )
    with pytest.raises(RequestError) as caught:
        load_suite(path, CATALOGUE)
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    for fault in (
        "bad.toml",
        "problems[0].spec: unknown problem 'quadratc'; did you mean 'quadratic'?",
        "optimizers[1].spec: 'adam[': the brackets do not match",
        "optimizers[1].learnin_rate: unknown key; did you mean 'learning_rate'?",
        "learning_rate: '1e-3:x:4' is not a range",
        "steps: input should be greater than or equal to 1, got 0",
        "step: unknown key; did you mean 'steps'?",
    ):
        assert fault in text


BAD = {
    "problems": [[], 3, [""]],
    "optimizers": [[3], ["a,b"]],
    "learning_rate": [-0.1, "x", math.nan, {}, [True]],
    "weight_decay": ["default:0", "-1", ""],
    "batch_size": [0, "-32", 1.5, "ful", []],
    "schedule": ["cosin", 3],
    "steps": [0, True, "10", 10**30],
    "epochs": [0, math.nan, math.inf],
    "seeds": [0],
    "report_seeds": [-1],
    "records": [0],
    "dtype": ["float16"],
    "decay": ["both"],
    "seed": [-1],
    "new\nkey": [1],
}


@pytest.mark.parametrize(
    ("key", "value"),
    [(key, value) for key, values in BAD.items() for value in values],
    ids=repr,
)
def test_a_bad_value_names_its_key(key, value):
    assert repr(key)[1:-1] in faults({**MINIMAL, key: value})


@pytest.mark.parametrize("pair", [{"steps": 1, "epochs": 1.0}, {"records": 1, "record_every": 1}], ids=str)
def test_rivals_exclude_each_other(pair):
    assert "only one of them may be" in faults({**MINIMAL, **pair})


def test_missing_keys_are_named():
    assert faults({}) == "problems: is missing; optimizers: is missing"


def test_a_catalogue_leaves_plugins_for_later():
    suite = parse_suite({"problems": ["./p.py:make"], "optimizers": ["./o.py:make"]}, catalogue=CATALOGUE)
    assert suite.optimizers[0].spec == "./o.py:make"


def test_override_reaches_the_entries():
    suite = parse_suite(
        {
            "problems": [{"spec": "quadratic", "batch_size": 16, "steps": 500}],
            "optimizers": [{"spec": "sgd", "learning_rate": 0.1, "schedule": "cosine[warmup=0.10]"}],
            "records": 10,
        }
    )
    assert suite.optimizers[0].schedule == ("cosine[warmup=0.1]",)
    changed = override(
        suite, batch_size="32,full", epochs=2.0, learning_rate="1", record_every=5, seeds=None, schedule="linear"
    )
    assert changed.problems[0].model_dump(exclude_none=True) == {"spec": "quadratic"}
    assert changed.optimizers[0].model_dump(exclude_none=True) == {"spec": "sgd"}
    assert (changed.batch_size, changed.epochs, changed.steps, changed.seeds) == ("32,full", 2.0, None, 2)
    assert (changed.records, changed.record_every) == (None, 5)
    assert override(changed, steps=7).epochs is None
    assert override(suite) == suite
    assert override(suite, problems=[]) == suite


def test_override_replaces_lists_and_validates():
    suite = parse_suite(MINIMAL)
    assert [entry.spec for entry in override(suite, optimizers=["adam", "lion"]).optimizers] == ["adam", "lion"]
    with pytest.raises(RequestError, match="steps"):
        override(suite, steps=0)
    with pytest.raises(RequestError, match="only one of them may be"):
        override(suite, steps=1, epochs=1.0)
    with pytest.raises(RequestError, match="did you mean 'sgd'"):
        override(suite, CATALOGUE, optimizers=["sgdd"])


@pytest.mark.parametrize(
    ("content", "message"),
    [("steps = = 1", r"line 1, column 9"), ("a = 'x\n'", "line 1"), ("\x00", "line 1"), ("[" * 5000, "TOML")],
    ids=["syntax", "newline", "null", "deep"],
)
def test_bad_toml_names_file_and_position(tmp_path, content, message):
    path = tmp_path / "bad.toml"
    path.write_text(content)
    with pytest.raises(RequestError, match=message) as caught:
        load_suite(path)
    assert "bad.toml" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_bad_bytes_and_folders(tmp_path):
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "folder.toml").mkdir()
    for name in ("bytes.toml", "folder.toml", "none.toml", "x\x00.toml"):
        with pytest.raises(RequestError):
            load_suite(tmp_path / name)


def test_unknown_suite_names_the_nearest():
    with pytest.raises(RequestError, match="unknown suite 'quik'; did you mean 'quick'"):
        load_suite("quik")


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["problems", "optimizers", "learning_rate", "steps", "x"]) | st.text(), json_like)
)
def test_noise_gives_nothing_but_request_errors(values):
    message = ""
    try:
        parse_suite(values)
    except RequestError as error:
        message = str(error)
    assert len(message.splitlines()) <= 1


def test_import_is_light():
    code = "import sys, optbench.request; print([m for m in ('jax', 'numpy', 'optax') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_a_schedule_of_an_optimizer_is_checked():
    values = {**MINIMAL, "optimizers": [{"spec": "sgd", "schedule": "cosin"}]}
    assert "optimizers[0].schedule: unknown schedule 'cosin'; did you mean 'cosine'?" in faults(values)
