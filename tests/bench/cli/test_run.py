"""`optbench run` and `optbench plan`, as one types them."""

import json

import pytest


def strict(text):
    """Read JSON as the standard has it: NaN and Infinity are none."""

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_run_prints_the_table_and_what_to_type_next(optbench, words, tmp_path):
    said = optbench("run", *words, "-o", "sgd", "-o", "adam", "--name", "mine", "--learning-rate", "0.1,0.5")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0].startswith("mine: ")
    assert lines[-2] == "kept in results/mine; next: optbench table mine best; optbench report mine"
    comparison = lines[-1].removeprefix("optbench ")
    assert sorted(comparison.split()) == ["adam", "compare", "sgd"]
    assert sorted(line.split()[0] for line in lines if line.startswith(("adam  ", "sgd  "))) == ["adam", "sgd"]
    assert "problem quadratic[condition=2.0,dim=3]" in said.out
    assert said.err.splitlines()[-1].startswith("2 cells computed, 0 kept from before, ")
    # The next commands are some.
    assert optbench("table", "mine", "best").code == optbench(*comparison.split()).code == 0


def test_progress_is_a_line_per_cell(optbench, words):
    said = optbench("run", *words, "-o", "sgd", "-o", "adam", "--learning-rate", "0.1")
    warning, first, second, last = said.err.splitlines()
    assert warning == "report_seeds: 1 seed is too few for any verdict on 1 problem: a test at 5 % needs at least 6"
    assert first.startswith("[1/2] ") and first.endswith("quadratic[condition=2.0,dim=3] / sgd")
    assert second.startswith("[2/2] ") and second.endswith("quadratic[condition=2.0,dim=3] / adam")
    assert "trials/s" in first and "left" in first
    assert "\r" not in said.err and "\x1b" not in said.err
    assert last.startswith("2 cells computed")


def test_second_run_keeps_and_says_so(optbench, words):
    command = ["run", *words, "-o", "sgd", "--learning-rate", "0.1"]
    first, second = optbench(*command), optbench(*command)
    assert second.out == first.out
    assert second.err.startswith("0 cells computed, 1 kept from before, ")
    forced = optbench(*command, "--force")
    assert "1 cell computed, 0 kept" in forced.err
    assert forced.out == first.out


def test_another_request_under_the_same_name_is_told(optbench, words):
    command = ["run", *words, "--learning-rate", "0.1", "--name", "study"]
    assert "other requests" not in optbench(*command, "-o", "sgd").err
    said = optbench(*command, "-o", "adam").err.splitlines()[-1]
    assert said == (
        "study also holds 1 cell of other requests or code, kept on disk and in none of its tables; another "
        "--name keeps both apart"
    )
    # Together they are one request again.
    assert "other requests" not in optbench(*command, "-o", "adam", "-o", "sgd").err


@pytest.mark.parametrize("rates", ["0.1,0.5", "3"], ids=["fine", "diverged"])
def test_json_is_all_there_is(optbench, words, rates):
    said = optbench("run", *words, "-o", "sgd", "-o", "adam", "--learning-rate", rates, "--json")
    assert said.code == 0
    rows = strict(said.out)
    assert {row["optimizer"] for row in rows} == {"sgd", "adam"}
    lost = next(row for row in rows if row["optimizer"] == "sgd")
    assert (lost["train_loss"] is None) == (rates == "3")


def test_a_failed_cell_is_exit_code_one(optbench, words, plugin):
    spec = plugin("def make(learning_rate):\n    raise ValueError('boom')\n")
    said = optbench("run", *words, "-o", "sgd", "-o", spec, "--learning-rate", "0.1", "--json")
    assert said.code == 1
    assert [row["optimizer"] for row in strict(said.out)] == ["sgd", spec]
    assert "ValueError: boom" in said.err
    assert "Traceback" not in said.err


def test_torn_part_is_named(optbench, words, tmp_path):
    command = ["run", *words, "-o", "sgd", "--learning-rate", "0.1", "--name", "mine"]
    optbench(*command)
    (part,) = (tmp_path / "results" / "mine" / "parts").iterdir()
    part.write_bytes(part.read_bytes()[:-100])
    said = optbench("table", "mine")
    assert said.code == 0
    assert f"{part.relative_to(tmp_path)} is torn" in said.out
    again = optbench(*command)
    assert again.code == 0
    assert f"{part.relative_to(tmp_path)} is torn" in again.err


def test_interrupted_run_says_what_is_kept(optbench, words, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("optbench.runner.local.train_job", interrupt)
    said = optbench("run", *words, "-o", "sgd", "--learning-rate", "0.1")
    assert said.code == 130
    assert said.out == ""
    assert "interrupted: finished cells are kept" in said.err
    assert "Traceback" not in said.err


def test_what_the_last_minute_left_is_told(optbench, words):
    left = optbench("run", *words, "-o", "sgd", "-o", "adam", "--max-minutes", "1e-9")
    assert (left.code, left.err.splitlines()[-1]) == (1, "2 of 2 cells are left; the same command goes on from there")
    done = optbench("run", *words, "-o", "sgd", "-o", "adam", "--max-minutes", "60")
    assert (done.code, "left;" in done.err) == (0, False)


def test_patterns_and_unions(optbench, words):
    said = optbench("run", *words, "-o", "adam*", "-o", "sgd", "-o", "sgd", "--learning-rate", "0.1", "--json")
    assert {row["optimizer"] for row in strict(said.out)} == {"adam", "adamax", "adamaxw", "adamw", "sgd"}


def test_every_option_is_heard(optbench, tmp_path):
    """What is asked is what the manifest says was run."""
    said = optbench(
        *["run", "smoke", "-p", "quadratic[dim=3,condition=2]", "-o", "sgd", "--learning-rate", "0.1:0.4:3"],
        *["--weight-decay", "0,0.1", "--schedule", "constant,cosine[warmup=0.25]", "--steps", "4", "--seeds", "2"],
        *["--report-seeds", "1", "--record-every", "2", "--dtype", "float64", "--decay", "coupled", "--device", "cpu"],
        *["--seed", "7", "--name", "all", "--results", "elsewhere", "--json", "--batch-size", "full"],
    )
    assert said.code == 0
    assert strict(said.out)[0]["num_points"] == 12
    suite = json.loads((tmp_path / "elsewhere" / "all" / "manifest.json").read_text())["suite"]
    asked = {"learning_rate": "0.1:0.4:3", "weight_decay": "0,0.1", "schedule": ["constant", "cosine[warmup=0.25]"]}
    asked |= {"steps": 4, "seeds": 2, "report_seeds": 1, "record_every": 2, "records": None, "dtype": "float64"}
    asked |= {"decay": "coupled", "seed": 7, "batch_size": "full"}
    assert {name: suite[name] for name in asked} == asked


def test_manifest_says_what_was_run_on_what(optbench, words, tmp_path):
    optbench("run", *words, "-o", "sgd", "--learning-rate", "0.1", "--name", "mine")
    manifest = json.loads((tmp_path / "results" / "mine" / "manifest.json").read_text())
    assert {"optbench", "jax", "jaxlib", "optax", "numpy", "python"} <= manifest["versions"].keys()
    assert {"platform", "device", "driver", "cpu", "cpu_count"} <= manifest["device"].keys()
    assert manifest["schema"] == 1
    assert manifest["started"] <= manifest["ended"]
    (part,) = (tmp_path / "results" / "mine" / "parts").iterdir()
    assert [cell["key"] for cell in manifest["cells"]] == [part.stem]


def test_plan_prints_counts(optbench, words, tmp_path):
    said = optbench("plan", *words[:-1], "-o", "sgd", "-o", "adam", "--learning-rate", "0.1,0.5")
    assert said.code == 0
    text = said.out.replace("\n  ", " ")
    assert "estimated on cpu" in text and "report_seeds: 1 seed is too few" in text
    assert text.splitlines()[-1].startswith("optbench explain COLUMN")
    assert not (tmp_path / "results").exists()


def test_plan_as_json(optbench, words):
    said = optbench("plan", *words[:-1], "-o", "sgd", "--learning-rate", "0.1,0.5", "--json")
    row, total = strict(said.out)
    assert (row["cells"], row["trials"], row["compiles"], total["problem"]) == (1, 4, 2, "all")


@pytest.mark.parametrize("kind", ["optimizer", "problem"])
def test_template_runs(optbench, words, tmp_path, kind):
    """What `optbench new` writes is a plug-in that works as it is, by the command that it prints."""
    name = f"my_{kind}_{tmp_path.name}"
    said = optbench("new", kind, name)
    assert said.code == 0
    start, _, command = said.out.strip().partition("try it: ")
    assert start == f"wrote {name}.py; "
    assert command.startswith("optbench run ")
    asked = command.split()[1:]
    rest = words if kind == "optimizer" else words[2:]
    ran = optbench(*asked, *rest, "--learning-rate", "0.01,0.1", "--name", "mine", "--json")
    assert ran.code == 0
    label = f"./{name}.py:make"
    assert any(label in (row["problem"], row["optimizer"]) for row in strict(ran.out))
    curves = strict(optbench("table", "mine", "curves", "--format", "json").out)
    mine = [row for row in curves if label in (row["problem"], row["optimizer"]) and row["phase"] == "report"]
    assert {row["step"] for row in mine} == {0, 2, 4}
    first, last = ([row["train_loss"] for row in mine if row["step"] == step] for step in (0, 4))
    assert all(end < begin for begin, end in zip(first, last, strict=True))
