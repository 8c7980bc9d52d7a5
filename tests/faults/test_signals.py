"""Ctrl-C, a scheduler's SIGTERM and a closed terminal: one line, a telling exit code, and nothing lost."""

import json
import os
import pty
import signal
from contextlib import suppress

import pytest

pytestmark = pytest.mark.faults

SAID = "interrupted: finished cells are kept, the same command goes on from there"
#: A cell that is trained until the file `wait` beside it is gone: one call into XLA, which no signal interrupts.
ENDLESS = """
    import time
    from pathlib import Path
    import jax, optax

    def wait():
        print("training", flush=True)
        while (Path(__file__).parent / "wait").exists():
            time.sleep(0.01)

    def make(learning_rate):
        def update(gradients, state, params=None):
            jax.debug.callback(wait)
            return jax.tree.map(lambda gradient: -learning_rate * gradient, gradients), state
        return optax.GradientTransformation(lambda params: (), update)
"""


@pytest.fixture
def named(two):
    """Return a function that gives the words of two cells and of one more optimizer."""
    return lambda spec: [*two, "-o", spec, "--name", "run"]


def expect_line(process, text):
    """Read stderr up to a line with a text; it fails where there is none."""
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"stderr ended without {text!r}")


def rest(process):
    """Return what it still writes, once it is over: `communicate` would miss what stands in a buffer."""
    process.wait(timeout=60)
    return process.stdout.read(), process.stderr.read()


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=["ctrl-c", "terminated", "hung-up"],
)
def test_a_signal_while_a_cell_is_compiled(start, optbench, waiting, named, kept, whole, two, tmp_path, number, code):
    """Its thread would compile as long as `wait` is there: the process ends all the same."""
    (tmp_path / "wait").touch()
    process = start(*named(waiting))
    expect_line(process, "/ adam")
    process.send_signal(number)
    out, err = rest(process)
    assert (process.returncode, out) == (code, "")
    assert [line for line in err.splitlines() if line and "computed" not in line] == [SAID]
    folder = tmp_path / "results" / "run"
    # What the line says is true.
    assert kept(folder).rows == whole(two).rows
    (tmp_path / "wait").unlink()
    again = optbench(*named(waiting))
    assert again.returncode == 0 and "1 cell computed, 2 kept" in again.stderr
    assert whole(two).rows.items() <= kept(folder).rows.items()
    assert len(json.loads(again.stdout)) == 3


def test_one_signal_while_a_cell_is_trained(start, plugin, named, kept, whole, two, tmp_path):
    """The call may never return, and the interrupt may be lost in the plug-in's callback: it ends all the same."""
    (tmp_path / "wait").touch()
    process = start(*named(plugin(ENDLESS)))
    expect_line(process, "training")
    process.send_signal(signal.SIGINT)
    out, err = rest(process)
    assert (process.returncode, out) == (130, "")
    # jax may log what it takes for an error of the callback's.
    assert err.splitlines()[-1] == SAID and err.count(SAID) == 1
    # The cell itself may have taken the interrupt for an error of its own; it is tried again.
    assert whole(two).rows.items() <= kept(tmp_path / "results" / "run").rows.items()


def test_a_second_signal_ends_it_at_once(start, optbench, plugin, named, kept, whole, two, tmp_path):
    (tmp_path / "wait").touch()
    words = named(plugin(ENDLESS))
    process = start(*words)
    expect_line(process, "training")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    out, err = rest(process)
    assert process.returncode in (130, 143) and out == ""
    assert err.splitlines()[-1] == SAID
    folder = tmp_path / "results" / "run"
    assert whole(two).rows.items() <= kept(folder).rows.items()
    assert {path.suffix for path in (folder / "parts").iterdir()} == {".parquet"}
    (tmp_path / "wait").unlink()
    assert optbench(*words).returncode == 0
    assert whole(two).rows.items() <= kept(folder).rows.items()


def test_ctrl_c_on_a_terminal(start, waiting, named, kept, whole, two, tmp_path):
    """With a progress bar: the cursor that it hides is back."""
    (tmp_path / "wait").touch()
    ours, theirs = pty.openpty()
    process = start(*named(waiting), stderr=theirs)
    os.close(theirs)
    said = b""
    while b"2/3 cells" not in said:
        said += os.read(ours, 4096)
    process.send_signal(signal.SIGINT)
    # Reading from a terminal that nobody holds any more is an error.
    with suppress(OSError):
        while True:
            said += os.read(ours, 4096)
    process.wait(timeout=60)
    os.close(ours)
    assert process.returncode == 130
    assert SAID.encode() in said and b"Traceback" not in said
    assert said.rindex(b"\x1b[?25h") > said.rindex(b"\x1b[?25l")
    assert kept(tmp_path / "results" / "run").rows == whole(two).rows


def test_a_signal_that_is_ignored_stays_so(start, waiting, named, tmp_path):
    """`nohup` has SIGHUP ignored."""
    (tmp_path / "wait").touch()
    process = start(*named(waiting), before="import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)")
    expect_line(process, "/ adam")
    process.send_signal(signal.SIGHUP)
    (tmp_path / "wait").unlink()
    rest(process)
    assert process.returncode == 0
