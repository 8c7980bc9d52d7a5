"""The process that hands cells out, or its scheduler, may die or be told to end: nothing that was written is lost."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

import optbench
from optbench.present.formats import format_table

pytestmark = pytest.mark.faults

MAIN = "import sys; from optbench.cli import main; sys.exit(main())"
WORDS = ("-p", "quadratic[dim=3,condition=2]", "--steps", "4", "--seeds", "1", "--report-seeds", "1", "--records", "2")
FOUR = (*WORDS, "--learning-rate", "0.1,0.5", "--no-throughput", "-o", "sgd", "-o", "adam", "-o", "lion")
SAID = "interrupted: finished cells are kept, the same command goes on from there"


@pytest.fixture
def begin(tmp_path):
    """Start `optbench run` in a session of its own, as a terminal does: begin(*words) -> Popen."""
    processes = []

    def call(*words):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        command = [sys.executable, "-c", MAIN, "run", *words]
        processes.append(subprocess.Popen(command, cwd=tmp_path, env=os.environ, start_new_session=True, **pipes))
        return processes[-1]

    yield call
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def waits(plug, tmp_path):
    """Name an optimizer whose cell takes as long as there is a file `wait`."""
    (tmp_path / "wait").touch()
    return plug("waits", "while (HERE / 'wait').exists(): time.sleep(0.05)")


def expect(process, *texts):
    """Read stderr until each of some texts stood in a line."""
    left = set(texts)
    while left:
        line = process.stderr.readline()
        assert line, f"stderr ended without {left}"
        left = {text for text in left if text not in line}


def descendants(process):
    return psutil.Process(process.pid).children(recursive=True)


def gone(children):
    """Wait for processes that lost their parent to end."""
    return psutil.wait_procs(children, timeout=30)[1] == []


def rerun(tmp_path, begin, rows, tiny, waits, name="mine"):
    """Let the cell that waits end, run again, and compare with one machine."""
    (tmp_path / "wait").unlink()
    process = begin(*FOUR, "-o", waits, "--name", name, "--cluster", "local:2", "--json")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    one = tiny("one", optimizers=["sgd", "adam", "lion", waits])
    again = optbench.load(tmp_path / "results" / name)
    assert rows(again) == rows(one)
    assert json.loads(out) == json.loads(format_table(one.convergence(), "json"))
    return err


def test_a_killed_driver_leaves_no_workers_and_is_taken_up(tmp_path, begin, rows, tiny, waits):
    process = begin(*FOUR, "-o", waits, "--name", "mine", "--cluster", "local:2")
    expect(process, "/ adam", "/ lion", "/ sgd")
    children = descendants(process)
    process.kill()
    process.wait()
    assert len(children) >= 2 and gone(children)
    assert "1 cell computed, 3 kept" in rerun(tmp_path, begin, rows, tiny, waits)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_drops_what_is_under_way_and_says_how_to_go_on(tmp_path, begin, rows, tiny, waits, number):
    process = begin(*FOUR, "-o", waits, "--name", "mine", "--cluster", "local:2")
    expect(process, "/ adam", "/ lion", "/ sgd")
    children = descendants(process)
    # A terminal sends Ctrl-C to the workers too, a scheduler of jobs its signal to the job's first process.
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (128 + number, "")
    assert [line for line in err.splitlines() if line] == [err.splitlines()[0], SAID]
    assert gone(children)
    assert "1 cell computed, 3 kept" in rerun(tmp_path, begin, rows, tiny, waits)


def test_a_second_signal_ends_it_at_once(tmp_path, begin, rows, tiny, waits):
    process = begin(*FOUR, "-o", waits, "--name", "mine", "--cluster", "local:2")
    expect(process, "/ adam", "/ lion", "/ sgd")
    children = descendants(process)
    for _ in range(2):
        os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err and SAID in err.splitlines()
    assert gone(children)
    assert "1 cell computed, 3 kept" in rerun(tmp_path, begin, rows, tiny, waits)


def test_a_killed_scheduler_is_waited_for(tmp_path, rows, tiny, waits, started, watch, own_cluster):
    """Its workers end with it; whatever starts them on their machines starts them again."""
    address = own_cluster(2).address
    said, seen = [], watch()

    def restart():
        for process in started:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait()
        started.clear()
        (tmp_path / "wait").unlink()
        own_cluster(2, urlsplit(address).port)

    def watched(progress):
        seen(progress)
        if seen.count("finished") == 3 and progress.outcome == "finished":
            threading.Thread(target=restart).start()

    optimizers = ["sgd", "adam", "lion", waits]
    run = tiny("many", optimizers=optimizers, cluster=address, on_progress=watched, say=said.append)
    assert seen.count("finished") == 4
    assert [text.partition(";")[0] for text in said] == ["lost the scheduler"]
    assert rows(run) == rows(tiny("one", optimizers=optimizers))


def test_where_no_worker_is_left_one_that_comes_takes_over(
    tmp_path, rows, tiny, waits, watch, own_cluster, replace_workers
):
    """Both workers end for good, with what watches over them."""
    address = own_cluster(2).address
    seen = watch()

    def replace():
        (tmp_path / "wait").unlink()
        replace_workers(address)

    optimizers = ["sgd", "adam", "lion", waits]

    def watched(progress):
        seen(progress)
        if seen.count("finished") == 3 and progress.outcome == "finished":
            threading.Thread(target=replace).start()

    run = tiny("many", optimizers=optimizers, cluster=address, on_progress=watched)
    assert (seen.count("finished"), run.missing) == (4, 0)
    assert rows(run) == rows(tiny("one", optimizers=optimizers))


def test_two_drivers_share_a_name_and_the_workers(tmp_path, rows, tiny, cluster, begin):
    pair = [begin(*FOUR, "--name", "mine", "--cluster", cluster.address, "--json") for _ in range(2)]
    told = [process.communicate(timeout=120) for process in pair]
    assert [process.returncode for process in pair] == [0, 0], told
    one = tiny("one", optimizers=["sgd", "adam", "lion"])
    assert {out for out, _ in told} == {format_table(one.convergence(), "json") + "\n"}
    parts = sorted(path.name for path in Path(tmp_path / "results" / "mine" / "parts").iterdir())
    assert parts == sorted(part.path.name for part in one.parts)
    assert rows(optbench.load(tmp_path / "results" / "mine")) == rows(one)


def test_what_plugins_print_stays_out_of_the_table(tmp_path, begin, plug):
    """In one worker, which --cell-timeout asks for."""
    loud = plug("loud", "print('spam')\nos.environ['SPAM'] = '1'")
    process = begin(*FOUR, "-o", loud, "--cell-timeout", "60", "--json")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert len(json.loads(out)) == 4
    assert "spam" in err


CHANGES = """
import random, numpy, jax
numpy.random.seed(0)
random.seed(0)
numpy.seterr(all='raise')
jax.config.update('jax_enable_x64', True)
jax.config.update('jax_default_prng_impl', 'rbg')
jax.config.update('jax_default_matmul_precision', 'bfloat16')
os.chdir('/')
"""


def test_what_a_plugin_changes_reaches_no_other_cell(rows, tiny, cluster, plug):
    others = ["sgd", "adam", "lion"]
    run = tiny("many", optimizers=[plug("changes", CHANGES.strip()), *others], cluster=cluster.address)
    assert rows(tiny("one", optimizers=others)).items() <= rows(run).items()
