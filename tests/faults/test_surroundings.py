"""Clocks, locales, encodings and folders that are not as one expects."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.faults

#: From its second cell on, every clock but the monotonic ones is an hour behind, and what it writes with them.
CLOCK_SET_BACK = """
    import os, time
    from optbench.runner import train_cell

    whole, calls, now, gmtime, strftime = train_cell.train_job, [], time.time, time.gmtime, time.strftime
    back = lambda: 3600 * (len(calls) > 1)

    def train_job(*arguments):
        calls.append(1)
        return whole(*arguments)

    def move(old, new, replace=os.replace):
        replace(old, new)
        os.utime(new, (time.time(), time.time()))

    train_cell.train_job = train_job
    time.time = lambda: now() - back()
    time.gmtime = lambda seconds=None: gmtime(time.time() if seconds is None else seconds)
    time.strftime = lambda form, moment=None: strftime(form, time.gmtime() if moment is None else moment)
    os.replace = move
"""


def test_a_clock_set_back_an_hour_midway(optbench, two, whole, kept, tmp_path):
    words = [*two[:-2], *two[-2:], "--name", "back"]
    said = optbench(*words, before=CLOCK_SET_BACK)
    assert said.returncode == 0 and len(said.stderr.splitlines()) == 3, said.stderr
    assert kept(tmp_path / "results" / "back") == whole(two)
    manifest = json.loads((tmp_path / "results" / "back" / "manifest.json").read_text())
    assert manifest["ended"] < manifest["started"]
    for command in (["table", "back"], ["report", "back", "-o", "page.html"], words):
        said = optbench(*command)
        assert said.returncode == 0 and "Traceback" not in said.stderr
    assert "0 cells computed, 2 kept" in said.stderr


@pytest.fixture(scope="session")
def german(tmp_path_factory):
    """Build a locale that writes 0,5 for a half; return the variables that choose it."""
    folder = tmp_path_factory.mktemp("locales")
    if not shutil.which("localedef"):
        pytest.skip("no localedef")
    built = subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", folder / "de_DE.UTF-8"], capture_output=True)
    if not (folder / "de_DE.UTF-8").exists():
        pytest.skip(f"no sources of locales: {built.stderr.decode()}")
    return {"LOCPATH": str(folder), "LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"}


def test_a_locale_with_decimal_commas(optbench, two, whole, kept, tmp_path, german):
    """Chosen for C code too, as a program does that embeds this one."""
    chosen = "import locale; locale.setlocale(locale.LC_ALL, ''); assert locale.str(0.5) == '0,5'"
    # A cache of its own: everything is compiled under this locale.
    said = optbench(*two, "--name", "de", before=chosen, env=german | {"XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout) == whole(two).convergence
    assert kept(tmp_path / "results" / "de") == whole(two)
    for command in (
        ["table", "de"],
        ["table", "de", "trials", "--format", "csv"],
        ["plot", "de", "curves", "--output", "figure.svg"],
    ):
        there, plain = optbench(*command, before=chosen, env=german), optbench(*command)
        assert (there.returncode, there.stderr, there.stdout) == (0, plain.stderr, plain.stdout)


OWN = """
    # Größe
    import optax

    def make(learning_rate):
        return optax.sgd(learning_rate)
"""
NAME = "größe-δ"


@pytest.mark.parametrize(
    "env",
    [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}],
    ids=["c-locale", "ascii-output"],
)
def test_names_beyond_ascii(optbench, plugin, two, whole, kept, tmp_path, env):
    """Wherever a name can stand: the folder it runs in, results, the run, a plug-in's file and a file of data."""
    here = tmp_path / "ein Ordner für ∇f"
    here.mkdir()
    spec = plugin(OWN, f"{here.name}/mein sgd für ∇")
    spec = "./" + spec.partition("/")[2].partition("/")[2]
    rows = "a,b,label\n" + "".join(f"{0.1 * i},{-0.2 * i},{0.3 * i}\n" for i in range(8))
    (here / "dätä δ.csv").write_text(rows)
    words = [*two[:3], "-p", 'linear_regression[data="dätä δ.csv"]', *two[3:], "-o", spec]
    place = ["--results", "Läufe ∞"]
    said = optbench(*words, *place, "--name", NAME, env=env, cwd=here)
    assert said.returncode == 0, said.stderr
    assert "Traceback" not in said.stderr
    assert {row["optimizer"] for row in json.loads(said.stdout)} == {"sgd", "adam", spec}
    assert whole(two).rows.items() <= kept(here / "Läufe ∞" / NAME).rows.items()
    for command in (
        ["table", NAME],
        ["table", NAME, "trials", "--format", "csv"],
        ["plot", NAME, "curves", "-o", "Bild ∂.svg"],
        ["report", NAME, "-o", "Seite ∂.html"],
        [word for word in words if word != "--json"] + ["--name", NAME],
    ):
        said = optbench(*command, *place, env=env, cwd=here)
        assert said.returncode == 0, said.stderr
        assert "Traceback" not in said.stderr
    assert (here / "Bild ∂.svg").is_file() and (here / "Seite ∂.html").is_file()
    said = optbench("table", "weg-δ", *place, env=env, cwd=here)
    assert said.returncode == 2 and said.stderr.startswith("optbench: no run ") and said.stderr.count("\n") == 1


#: Where Python takes everything for ASCII: it would read UTF-8 in the C locale, too, unless it is told not to.
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("more", [{}, {"PYTHONIOENCODING": "ascii"}], ids=["ascii-files", "ascii-throughout"])
def test_names_that_python_can_not_read(optbench, plugin, two, whole, kept, tmp_path, more):
    """Paths are bytes and work; a spec is text, which this is not, and is refused in one line."""
    env = ASCII | more
    here = tmp_path / "ein Ordner für ∇f"
    here.mkdir()
    plain = "./" + plugin(OWN, f"{here.name}/own").rpartition("/")[2]
    words = [*two, "-o", plain, "--results", "Läufe ∞", "--name", "mine"]
    said = optbench(*words, env=env, cwd=here)
    assert said.returncode == 0, said.stderr
    assert whole(two).rows.items() <= kept(here / "Läufe ∞" / "mine").rows.items()
    for command in ([*words], ["table", "mine", "--results", "Läufe ∞"]):
        said = optbench(*[word for word in command if word != "--json"], env=env, cwd=here)
        assert said.returncode == 0, said.stderr
    for spec in ("./größe.py:make", "größe"):
        said = optbench(*two, "-o", spec, env=env, cwd=here)
        assert (said.returncode, said.stdout, said.stderr.count("\n")) == (2, "", 1), said.stderr


def test_results_that_can_not_be_written(optbench, two, tmp_path):
    (tmp_path / "a-file").touch()
    for place in ("a-file", "a-file/results", "/proc/results"):
        said = optbench(*two, "--results", place)
        assert (said.returncode, said.stdout) == (2, "")
        assert said.stderr.startswith("optbench: can't write ") and said.stderr.count("\n") == 1


def test_a_folder_that_is_gone(optbench, two, tmp_path):
    """Where it was started; said in one line."""
    gone = tmp_path / "gone"
    gone.mkdir()
    said = optbench(*two, cwd=gone, before=f"import os; os.rmdir({str(gone)!r})")
    assert said.returncode == 2 and said.stderr.count("\n") == 1, said.stderr


def test_no_home_at_all(optbench, two, whole, kept, tmp_path):
    """A user without an entry, in a container: the cache has no place, and nothing else misses it."""
    code = "import os, pwd; pwd.getpwuid = lambda uid: {}[uid]"
    said = optbench(*two, "--name", "homeless", env={"HOME": None, "XDG_CACHE_HOME": None}, before=code)
    assert said.returncode == 0 and len(said.stderr.splitlines()) == 3, said.stderr
    assert kept(tmp_path / "results" / "homeless") == whole(two)
    assert not Path(tmp_path / "~").exists() and os.environ["PATH"]
