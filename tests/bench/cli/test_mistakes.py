"""Every mistake is one line on stderr that names what is accepted, exit code 2, and nothing on stdout."""

import pytest

BOWL = ("-p", "quadratic[dim=3,condition=2]")
SYNTHETIC = ("-p", "linear_regression[data=synthetic,rows=20,dim=2,test_fraction=0.2,validation_fraction=0.0]")
STREAM = ("-p", "quadratic[dim=3,condition=2,noise=0.1]")
SGD = ("-o", "sgd")

#: name -> the words of a request, and what the line must say.
REQUESTS = {
    "problem": (["-p", "quadratc", *SGD], ["'quadratc'", "'quadratic'"]),
    "optimizer": ([*BOWL, "-o", "adm"], ["'adm'", "'adam'"]),
    "optimizer-pattern": ([*BOWL, "-o", "zz*"], ["'zz*'"]),
    "suite": (["qick"], ["'qick'", "'quick'"]),
    "suite-file": (["nowhere.toml"], ["'nowhere.toml'", "No such file"]),
    "suite-folder": (["./"], ["'./'", "directory"]),
    "problem-parameter": (["-p", "quadratic[dimm=3]", *SGD], ["'dimm'", "'dim'"]),
    "optimizer-parameter": ([*BOWL, "-o", "adam[b3=0.9]"], ["'b3'", "'b"]),
    "parameter-of-the-wrong-kind": (["-p", "quadratic[dim=x]", *SGD], ["dim", "an integer", "'x'"]),
    "parameter-out-of-range": (["-p", "quadratic[dim=0]", *SGD], ["dim=0", "at least 1"]),
    "brackets": (["-p", "quadratic[dim=3", *SGD], ["brackets"]),
    "empty-problem": (["-p", "", *SGD], ["name is missing"]),
    "range": ([*BOWL, *SGD, "--learning-rate", "1e-3:x:4"], ["learning_rate", "1e-3:x:4", "1e-4:1e-1:4"]),
    "learning-rate-word": ([*BOWL, *SGD, "--learning-rate", "fast"], ["learning_rate", "'fast'"]),
    "learning-rate-empty": ([*BOWL, *SGD, "--learning-rate", ""], ["learning_rate"]),
    "learning-rate-negative": ([*BOWL, *SGD, "--learning-rate", "-0.1"], ["learning_rate", "-0.1", ">= 0"]),
    "learning-rate-nan": ([*BOWL, *SGD, "--learning-rate", "nan"], ["learning_rate", "'nan'"]),
    "weight-decay-negative": ([*BOWL, *SGD, "--weight-decay", "-1"], ["weight_decay", "-1", ">= 0"]),
    "batch-size-negative": ([*SYNTHETIC, *SGD, "--batch-size", "-4"], ["batch_size", "-4", ">= 1"]),
    "batch-size-zero": ([*SYNTHETIC, *SGD, "--batch-size", "0"], ["batch_size", "0", ">= 1"]),
    "batch-size-fraction": ([*SYNTHETIC, *SGD, "--batch-size", "1.5"], ["batch_size", "1.5", "integers"]),
    "batch-size-word": ([*SYNTHETIC, *SGD, "--batch-size", "ful"], ["batch_size", "'ful'", "full"]),
    "batch-larger-than-data": ([*SYNTHETIC, *SGD, "--batch-size", "17"], ["17", "16 training rows"]),
    "batch-full-of-a-stream": ([*STREAM, *SGD, "--batch-size", "full"], ["stream", "'full'"]),
    "schedule": ([*BOWL, *SGD, "--schedule", "cosin"], ["'cosin'", "'cosine'"]),
    "warmup": ([*BOWL, *SGD, "--schedule", "cosine[warmup=2]"], ["warmup", "from 0 to below 1"]),
    "steps-zero": ([*BOWL, *SGD, "--steps", "0"], ["steps", "0", "1"]),
    "steps-negative": ([*BOWL, *SGD, "--steps", "-3"], ["steps", "-3", "1"]),
    "steps-word": ([*BOWL, *SGD, "--steps", "many"], ["steps", "many"]),
    "steps-fraction": ([*BOWL, *SGD, "--steps", "1.5"], ["steps", "1.5"]),
    "steps-and-epochs": ([*BOWL, *SGD, "--steps", "3", "--epochs", "2"], ["steps", "epochs", "only one"]),
    "epochs-zero": ([*BOWL, *SGD, "--epochs", "0"], ["epochs", "0"]),
    "epochs-nan": ([*BOWL, *SGD, "--epochs", "nan"], ["epochs", "nan"]),
    "epochs-of-a-stream": ([*STREAM, *SGD, "--epochs", "2"], ["epochs", "--steps"]),
    "records-and-every": (
        [*BOWL, *SGD, "--records", "3", "--record-every", "2"],
        ["record_every", "records", "only one"],
    ),
    "seeds-zero": ([*BOWL, *SGD, "--seeds", "0"], ["seeds", "0"]),
    "report-seeds-negative": ([*BOWL, *SGD, "--report-seeds", "-1"], ["report_seeds", "-1"]),
    "seed-negative": ([*BOWL, *SGD, "--seed", "-1"], ["seed", "-1"]),
    "dtype": ([*BOWL, *SGD, "--dtype", "float16"], ["float16", "float32", "float64", "bfloat16"]),
    "dtype-of-a-quadratic": ([*BOWL, *SGD, "--dtype", "bfloat16"], ["quadratic", "bfloat16", "float32"]),
    "decay": ([*BOWL, *SGD, "--decay", "coupld"], ["coupld", "coupled"]),
    "device": ([*BOWL, *SGD, "--device", "tpu"], ["tpu", "cpu", "gpu"]),
    "option": ([*BOWL, *SGD, "--stesp", "3"], ["--stesp", "--steps"]),
    "option-without-value": ([*BOWL, *SGD, "--steps"], ["steps"]),
    "two-suites": (["smoke", "quick"], ["quick"]),
    "data-file": (["-p", "linear_regression[data=./nowhere.csv]", *SGD], ["nowhere.csv"]),
    "plugin-file": ([*BOWL, "-o", "./nowhere.py:make"], ["./nowhere.py"]),
    "plugin-problem-file": (["-p", "./nowhere.py:make", *SGD], ["./nowhere.py"]),
    "plugin-module": ([*BOWL, "-o", "no_such_module:make"], ["no_such_module"]),
    "plugin-name": ([*BOWL, "-o", "optax:sdg"], ["'sdg'", "'sgd'"]),
    "plugin-without-a-name": ([*BOWL, "-o", "./mine.py"], ["./mine.py", ".py:make"]),
    "name-outside": ([*BOWL, *SGD, "--name", "../elsewhere"], ["../elsewhere"]),
    "name-empty": ([*BOWL, *SGD, "--name", ""], ["name"]),
    "name-reserved": ([*BOWL, *SGD, "--name", "latest"], ["latest"]),
}

UPDATES = ("--update-only", *SGD)
#: name -> the words of a request for timing, and what the line must say.
TIMINGS = {
    "min-time-word": ([*BOWL, *SGD, "--min-time", "x"], ["min_time", "'x'", "200ms, 1s, 2min"]),
    "min-time-zero": ([*BOWL, *SGD, "--min-time", "0"], ["min_time", "'0'", "200ms"]),
    "min-time-negative": ([*BOWL, *SGD, "--min-time", "-1s"], ["min_time", "'-1s'", "200ms"]),
    "min-time-empty": ([*BOWL, *SGD, "--min-time", ""], ["min_time", "''", "200ms"]),
    "min-time-of-a-day": ([*BOWL, *SGD, "--min-time", "1440min"], ["min_time", "'1440min'", "up to an hour"]),
    "repeats": ([*BOWL, *SGD, "--repeats", "3"], ["repeats", "3", "6 or more", "95 %"]),
    "repeats-negative": ([*BOWL, *SGD, "--repeats", "-3"], ["repeats", "-3", "6 or more"]),
    "repeats-fraction": ([*BOWL, *SGD, "--repeats", "7.5"], ["repeats", "7.5", "integer"]),
    "repeats-of-updates": ([*UPDATES, "--repeats", "3"], ["repeats", "3", "6 or more"]),
    "parameters-without-update-only": ([*BOWL, *SGD, "--parameters", "1e6"], ["--parameters", "--update-only"]),
    "shape-without-update-only": ([*BOWL, *SGD, "--shape", "flat"], ["--shape", "--update-only"]),
    "problem-of-updates": ([*UPDATES, *BOWL], ["--update-only", "no problem", "--parameters"]),
    "batch-size-of-updates": ([*UPDATES, "--batch-size", "32"], ["--update-only", "no batch size", "--parameters"]),
    "shape": ([*UPDATES, "--shape", "transfomer"], ["'transfomer'", "'transformer'", "flat", "many_small"]),
    "shape-empty": ([*UPDATES, "--shape", ""], ["shape", "''", "transformer"]),
    "shape-like-none": ([*UPDATES, "--shape", "foo"], ["'foo'", "transformer, flat, many_small"]),
    "parameters-fraction": ([*UPDATES, "--parameters", "1.5"], ["parameters", "'1.5'", "whole numbers", "1e6,1e7"]),
    "parameters-zero": ([*UPDATES, "--parameters", "1e6,0"], ["parameters", "'1e6,0'", "from 1"]),
    "parameters-negative": ([*UPDATES, "--parameters", "-5"], ["parameters", "'-5'", "from 1"]),
    "parameters-word": ([*UPDATES, "--parameters", "many"], ["parameters", "'many'", "1e6,1e7"]),
    "parameters-true": ([*UPDATES, "--parameters", "true"], ["parameters", "'true'", "1e6,1e7"]),
    "parameters-empty": ([*UPDATES, "--parameters", ""], ["parameters", "''", "1e6,1e7"]),
    "parameters-beyond-all": ([*UPDATES, "--parameters", "1e30"], ["parameters", "'1e30'", "1e12"]),
    # Of gradient and twice the parameters, 12 bytes each.
    "parameters-beyond-memory": ([*UPDATES, "--parameters", "1e12"], ["1e+12", "11,175.9 GiB with sgd", "up to about"]),
    "updates-in-bfloat16": ([*UPDATES, "--dtype", "bfloat16"], ["bfloat16", "mixed precision", "float32, float64"]),
    "dtype-of-updates": ([*UPDATES, "--dtype", "float16"], ["float16", "float32", "bfloat16"]),
    "optimizer-of-updates": (["--update-only", "-o", "adm"], ["'adm'", "'adam'"]),
    "format": ([*BOWL, *SGD, "--format", "jsn"], ["jsn", "json"]),
}

#: name -> a whole command, and what the line must say.
COMMANDS = {
    "command": (["rnu"], ["rnu", "run"]),
    "flag": (["--verison"], ["--verison", "--help"]),
    "list-kind": (["list", "problms"], ["problms", "problems"]),
    "run": (["table", "tniy"], ["'tniy'", "handmade"]),
    "run-empty": (["table", ""], ["handmade"]),
    "table-kind": (
        ["table", "handmade", "convergenc"],
        ["'convergenc'", "convergence, throughput, time-to-target", "ranks"],
    ),
    "table-column": (["table", "handmade", "--columns", "optimizer,train_los"], ["'train_los'", "'train_loss'"]),
    "table-sort": (["table", "handmade", "--sort", "-gapp"], ["'gapp'", "'gap'"]),
    "table-format": (["table", "handmade", "--format", "jsn"], ["jsn", "json"]),
    "table-step": (["table", "handmade", "--at-step", "x"], ["at-step", "x"]),
    "table-step-negative": (["table", "handmade", "--at-step", "-3"], ["step", "-3", "0"]),
    "table-step-fraction": (["table", "handmade", "--at-step", "1.5"], ["at-step", "1.5"]),
    "table-target": (["table", "handmade", "--target", "low"], ["target", "low"]),
    "table-target-nan": (["table", "handmade", "ert", "--target", "nan"], ["target", "nan", "finite"]),
    "table-seeds-zero": (["table", "handmade", "budget", "--seeds", "0"], ["seeds", "0", ">= 1"]),
    "table-seeds-negative": (["table", "handmade", "ranks", "--seeds", "-2"], ["seeds", "-2", ">= 1"]),
    "table-seeds-fraction": (["table", "handmade", "ecdf", "--seeds", "1.5"], ["seeds", "1.5"]),
    "table-problem": (["table", "handmade", "profile", "--problem", "bowll"], ["'bowll'", "'bowl'"]),
    "table-optimizer": (["table", "handmade", "defaults", "--optimizer", "sgdd"], ["'sgdd'", "'sgd'"]),
    "table-pattern": (["table", "handmade", "sensitivity", "-o", "ad*"], ["'ad*'", "sgd"]),
    "table-column-of-a-kind": (["table", "handmade", "ranks", "--sort", "mean_rnak"], ["'mean_rnak'", "'mean_rank'"]),
    "no-runs": (["table", "--results", "nowhere"], ["nowhere", "optbench run smoke"]),
    "completion": (["completion", "tcsh"], ["tcsh", "bash", "zsh", "fish"]),
    "template": (["new", "optimzer", "mine"], ["optimzer", "optimizer"]),
    "template-name": (["new", "optimizer", "not-a-name"], ["'not-a-name'", "letters"]),
    "template-there": (["new", "problem", "taken"], ["taken.py", "exists"]),
}


def check(said, words):
    """One line that holds all words, code 2, silence on stdout."""
    assert said.out == ""
    assert said.err.count("\n") == 1 and said.err.endswith("\n")
    assert said.err.startswith("optbench: ")
    assert [word for word in words if word not in said.err] == []
    assert said.code == 2


@pytest.mark.parametrize("command", ["run", "plan", "throughput"])
@pytest.mark.parametrize(("words", "said"), REQUESTS.values(), ids=REQUESTS)
def test_request(optbench, tmp_path, command, words, said):
    check(optbench(command, *words), said)
    # Refused before any work.
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(("words", "said"), TIMINGS.values(), ids=TIMINGS)
def test_timing(optbench, tmp_path, words, said):
    check(optbench("throughput", *words), said)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(("words", "said"), COMMANDS.values(), ids=COMMANDS)
def test_command(optbench, handmade, tmp_path, words, said):
    handmade("sgd", [[3.0, 2.0, 1.0]])
    (tmp_path / "taken.py").touch()
    check(optbench(*words), said)
    assert (tmp_path / "taken.py").read_text() == ""


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["recommend"], "recommend: PROBLEM is missing (see: optbench recommend --help)"),
        (["tune", *BOWL], "tune: --trials is missing (see: optbench tune --help)"),
        (["recommend", "mlp", "sgd"], "recommend: too much: 'sgd' (see: optbench recommend --help)"),
    ],
)
def test_what_is_missing_or_too_much_is_named_as_the_help_names_it(optbench, words, line):
    assert optbench(*words) == (2, "", f"optbench: {line}\n")


@pytest.mark.parametrize(
    "command", [["run", *BOWL], ["throughput", *BOWL], ["throughput", "--update-only"]], ids=["run", "steps", "updates"]
)
def test_device_that_is_not_here(optbench, command):
    import jax

    if any(device.platform == "gpu" for device in jax.devices()):
        pytest.skip("there is a GPU here")
    check(optbench(*command, *SGD, "--device", "gpu"), ["'gpu'", "cpu"])
    check(optbench("doctor", "--limits", "--device", "gpu"), ["'gpu'", "cpu"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('problems = ["quadratic"]\noptimizers = ["sgd"]\nsteps = 0\nseeds = "x"\ncolour = 1\n', "steps seeds colour"),
        ('problems = ["quadratc"]\noptimizers = ["sgd"]\nsteps = -3\nstesp = 3\n', "quadratc steps stesp"),
        ('problems = ["quadratic[dmi=3]"]\noptimizers = ["adm"]\nseeds = 0\n', "dmi adm seeds"),
        ('optimizers = []\nlearning_rate = "1:x:2"\nbatch_size = -4\n', "problems optimizers 1:x:2 -4"),
        ('[[problems]]\nspec = "quadratic"\nstesp = 3\n[[optimizers]]\nname = "sgd"\n', "stesp spec name"),
        ('problems = ["quadratic"\n', "not valid TOML"),
        ("", "problems optimizers"),
    ],
    ids=["numbers", "names-and-numbers", "catalogues", "grids", "tables", "no-toml", "empty"],
)
def test_every_fault_of_a_suite_is_named(optbench, tmp_path, text, said):
    (tmp_path / "faulty.toml").write_text(text)
    faults = [said] if "TOML" in said else said.split()
    check(optbench("run", "faulty.toml"), ["faulty.toml", *faults])


@pytest.mark.parametrize("place", ["taken", "taken/below"])
@pytest.mark.parametrize("command", ["run", "doctor"])
def test_results_that_cannot_be_written(optbench, words, tmp_path, place, command):
    """A file is in the way: permissions do not stop the root user."""
    (tmp_path / "taken").touch()
    if command == "doctor":
        said = optbench("doctor", "--results", place)
        assert said.code == 1
        assert f"can't write {place}" in said.out
    else:
        check(optbench("run", *words, "-o", "sgd", "--results", place), [f"can't write {place}", "irectory"])


def test_run_folder_that_cannot_be_written(optbench, words, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "taken").touch()
    check(optbench("run", *words, "-o", "sgd", "--name", "taken"), ["can't write results/taken"])


def test_manifest_of_another_version(optbench, handmade, tmp_path):
    handmade("sgd", [[3.0, 2.0, 1.0]])
    path = tmp_path / "results" / "handmade" / "manifest.json"
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 99'))
    check(optbench("table", "handmade"), ["99", "manifest.json"])


@pytest.mark.parametrize("words", [["run", *BOWL, "-o", "adm"], ["table", "nothing"]], ids=["run", "table"])
def test_a_mistake_in_a_process(start, words):
    process = start(*words)
    out, err = process.communicate()
    assert (process.returncode, out, err.count("\n")) == (2, "", 1)
    assert "Traceback" not in err


def test_what_reads_may_stop_reading(start, handmade):
    """`optbench table ... | head -1` ends quietly."""
    handmade("sgd", [[3.0, 2.0, 1.0]] * 2000)
    with start("table", "handmade", "trials", "--format", "csv") as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0
