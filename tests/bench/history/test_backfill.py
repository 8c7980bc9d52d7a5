"""Versions of a package in environments of their own: for real where the name says so, else with a faked call."""

import json
import os
import sys
import time
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

import optbench.problems
from optbench.errors import StoreError
from optbench.history import environments
from optbench.history.backfill import DESCRIBE, Request, backfill
from optbench.history.entries import read_history, read_samples
from optbench.history.environments import VersionError, environment, make_environment, run_command
from optbench.request import RequestError

HERE = {
    "versions": {"optax": "0.2.8", "jax": "0.10.2", "jaxlib": "0.10.2", "python": "3.11"},
    "device": {"device": "cpu", "cpu": "Some CPU", "cpu_count": 2},
    "git_commit": "c" * 40,
}
SAID = json.dumps(HERE)


@pytest.fixture
def asked(tmp_path, place):
    return Request("optax", "smoke", tmp_path / "results", place, ("--no-throughput",))


def install(environment, package, version):
    """Write what tells the version of a package in an environment."""
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / f"{package.replace('-', '_')}-{version}.dist-info").mkdir()
    (packages / f"{package.replace('-', '_')}-{version}.dist-info" / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
    )


@pytest.fixture
def fake(handmade):
    """Return a function that makes a call: pip and the run end as said, a run leaves a cell that gets better."""

    def make(pip=(0, ()), run=(0, ()), installs=True, described=(0, (SAID,)), leaves_a_run=True):
        commands = []

        def call(command, hear):
            command = list(command)
            commands.append(command)
            if "pip" in command:
                if installs:
                    install(Path(command[command.index("--python") + 1]).parents[1], *command[-1].split("=="))
                return pip[0], list(pip[1])
            if DESCRIBE in command:
                return described[0], list(described[1])
            name = command[command.index("--name") + 1]
            if leaves_a_run and run[0] in (0, 1):
                handmade("adam", [[3.0, 2.0, 1.0 / len(commands)]], run=name)
            for line in run[1]:
                hear(line)
            return run[0], list(run[1])

        call.commands = commands
        return call

    return make


def entries(place):
    """Return the history's entries with their rows: [(entry, rows)]."""
    history = read_history(place)
    return [(entry, read_samples(history, [entry])) for entry in history.entries]


def test_each_version_is_installed_run_and_added(asked, fake):
    said, call = [], fake(run=(0, ["1/1 cells"]))
    filled = backfill(asked, ["0.2.6", "0.2.7"], said.append, call)
    assert [(one.version, one.outcome) for one in filled] == [("0.2.6", "added"), ("0.2.7", "added")]
    assert {(entry.label, entry.versions["optax"], entry.run) for entry, _ in entries(asked.history)} == {
        ("optax==0.2.6", "0.2.6", "backfill-optax-0.2.6"),
        ("optax==0.2.7", "0.2.7", "backfill-optax-0.2.7"),
    }
    pip, run, *_ = call.commands
    assert pip[-1] == "optax==0.2.6" and pip[pip.index("--python") + 1] == run[0]
    assert run[4:] == ["run", "smoke", "--no-throughput", "--name", "backfill-optax-0.2.6", "--results", run[-1]]
    assert said[:3] == ["optax==0.2.6: installing", "optax==0.2.6: running smoke", "optax==0.2.6: 1/1 cells"]
    assert not Path(run[0]).exists(), "the environment is gone"


def test_a_run_with_failed_cells_is_added(asked, fake):
    assert backfill(asked, ["0.2.6"], call=fake(run=(1, ())))[0].outcome == "added"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"pip": (1, ["ERROR: No matching distribution found for optax==9.9", "", "[notice] use a newer pip"])},
            "optax==9.9 can't be installed: ERROR: No matching distribution found for optax==9.9",
        ),
        ({"installs": False}, f"optax==9.9 was asked for, but {version('optax')} was installed"),
        ({"run": (2, ["on it", "optbench: no"])}, "the run ended with exit code 2: optbench: no"),
        ({"run": (-9, ())}, "the run was ended by SIGKILL: it says nothing"),
        ({"run": (3, ["AttributeError: no tree"])}, "the run ended with exit code 3: AttributeError: no tree"),
    ],
    ids=["pip", "other", "mistake", "signal", "crash"],
)
def test_a_version_that_gives_no_run_is_added_as_failed(asked, fake, options, message):
    (filled,) = backfill(asked, ["9.9"], call=fake(**options))
    assert (filled.outcome, filled.message) == ("failed", message)
    ((entry, (row,)),) = entries(asked.history)
    assert (row["measure"], row["message"], row["value"], row["problem"]) == ("failed", message, None, "")
    assert (entry.label, entry.suite, entry.run) == ("optax==9.9", "smoke", "backfill-optax-9.9")
    assert entry.versions == HERE["versions"] | {"optax": "9.9"}
    assert (entry.commit, entry.device) == ("c" * 40, "cpu, Some CPU, 2 cores")


def test_a_run_that_left_nothing_is_a_failure(asked, fake):
    assert "no run" in backfill(asked, ["0.2.6"], call=fake(leaves_a_run=False))[0].message


def test_a_failure_is_in_the_way_of_no_other_version(asked, fake):
    broken, fine = fake(run=(3, ["no"])), fake()

    def call(command, hear):
        return (broken if "backfill-optax-0.2.6" in command else fine)(command, hear)

    filled = backfill(asked, ["0.2.5", "0.2.6", "0.2.7"], call=call)
    assert [one.outcome for one in filled] == ["added", "failed", "added"]


def test_what_is_there_already_is_not_added_again(asked, fake):
    first = backfill(asked, ["0.2.6"], call=fake())
    again = backfill(asked, ["0.2.6"], call=fake())
    failed = [backfill(asked, ["0.2.7"], call=fake(run=(3, ["no"])))[0] for _ in "ab"]
    assert [one.outcome for one in (*first, *again, *failed)] == ["added", "there", "failed", "failed"]
    assert len(entries(asked.history)) == 2


def test_a_jaxlib_is_not_said_to_be_that_of_another_jax(asked, fake):
    other = Request("jax", "smoke", asked.results, asked.history)
    backfill(other, ["0.10.0"], call=fake(run=(3, ["no"])))
    ((entry, _),) = entries(asked.history)
    assert entry.versions == {"optax": "0.2.8", "jax": "0.10.0", "python": "3.11"}


def test_an_interrupt_leaves_what_was_added(asked, fake):
    fine, python = fake(), []

    def call(command, hear):
        if "backfill-optax-0.2.7" in command:
            python.append(Path(command[0]))
            assert python[0].exists()
            raise KeyboardInterrupt
        return fine(command, hear)

    with pytest.raises(KeyboardInterrupt):
        backfill(asked, ["0.2.6", "0.2.7"], call=call)
    assert [entry.label for entry, _ in entries(asked.history)] == ["optax==0.2.6"]
    assert not python[0].exists()


def test_a_machine_that_can_run_nothing_is_no_fault_of_a_version(asked, fake):
    with pytest.raises(StoreError, match="can't describe this machine: no jax"):
        backfill(asked, ["0.2.6"], call=fake(run=(3, ["no"]), described=(1, ["no jax"])))


@pytest.mark.parametrize(
    ("package", "versions", "said"),
    [
        ("optx", ["1"], "package 'optx' is not installed here; did you mean 'optax'"),
        ("optax", ["0.2.7", "latest"], "versions: 'latest' is not accepted"),
        ("optax", ["--index-url=x"], "is not accepted"),
        ("optax", [""], "versions: '' is not accepted"),
        ("optax", [], "is not accepted"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_any_work(asked, fake, package, versions, said):
    call = fake()
    with pytest.raises(RequestError, match=said):
        backfill(Request(package, "smoke", asked.results, asked.history), versions, call=call)
    assert call.commands == []


def test_plugins_of_jax_go_with_it(monkeypatch, fake):
    monkeypatch.setattr(environments, "_plugins", lambda: ["jax-cuda13-plugin"])
    call = fake(installs=False)
    monkeypatch.setattr(environments, "_version", lambda folder, package: "0.10.0")
    with environment("jax", "0.10.0", call):
        pass
    assert call.commands[0][-2:] == ["jax==0.10.0", "jax-cuda13-plugin==0.10.0"]


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """Return a function that writes a wheel of one module into the one folder where pip looks."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))

    def wheel(name, number, code):
        about = f"{name}-{number}.dist-info"
        files = {f"{name}.py": code}
        files[f"{about}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\nRequires-Dist: numpy\n"
        files[f"{about}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        files[f"{about}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{about}/RECORD"])
        with zipfile.ZipFile(tmp_path / f"{name}-{number}-py3-none-any.whl", "w") as archive:
            for file, text in files.items():
                archive.writestr(file, text)

    return wheel


def test_a_real_environment_has_one_package_in_another_version_and_all_else_as_here(wheels):
    wheels("tabulate", "99.0", "__version__ = '99.0'\n")
    names = "optbench, optbench.problems, numpy, tabulate"
    code = f"import {names}; print(*(m.__file__ for m in ({names})), tabulate.__version__)"
    with environment("tabulate", "99.0", run_command) as python:
        _, (line,) = run_command([str(python), "-P", "-c", code], lambda line: None)
        *ours, inherited, own, number = line.split()
        assert ours == [optbench.__file__, optbench.problems.__file__] and number == "99.0"
        assert Path(own).is_relative_to(python.parents[1]) and not Path(inherited).is_relative_to(python.parents[1])
    assert not python.exists()
    with pytest.raises(VersionError, match="can't be installed: ERROR: No matching distribution found for tabulate"):
        environment("tabulate", "98.0", run_command).__enter__()


def test_a_real_version_that_breaks_is_added_as_failed_with_what_this_machine_is(wheels, asked):
    wheels("optax", "99.0", "raise AttributeError('no such option\\nas that')\n")
    (filled,) = backfill(asked, ["99.0"])
    message = "the run ended with exit code 3: AttributeError: no such option"
    assert (filled.outcome, filled.message) == ("failed", message)
    ((entry, (row,)),) = entries(asked.history)
    assert (row["measure"], row["message"]) == ("failed", message)
    here = {package: version(package) for package in ("optbench", "jax", "jaxlib", "numpy")}
    assert here.items() <= entry.versions.items() and entry.versions["optax"] == "99.0"
    assert "cores" in entry.device and len(entry.machine) == 8


def test_pip_of_an_environment_is_configured_as_here(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "pip.conf").write_text("[global]\nindex-url = https://example.org\n")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "here"))
    make_environment(tmp_path / "made")
    assert "example.org" in (tmp_path / "made" / "pip.conf").read_text()


def test_an_interrupted_command_does_not_go_on(tmp_path):
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    pids = []

    def hear(line):
        pids.append(int(line))
        raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_command([sys.executable, "-c", code], hear)
    assert time.monotonic() - began < 30
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)
