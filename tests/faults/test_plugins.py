"""A plug-in that prints, or changes the process that it runs in, costs its neighbours nothing."""

import json

import pytest

pytestmark = pytest.mark.faults

#: What a plug-in may do to the process, and where: at import, when it is called, while it is traced, while it runs.
CHANGES = """
    import locale, os, random, warnings
    import jax, numpy as np

    def change():
        np.random.seed(0)
        random.seed(0)
        np.seterr(all="raise")
        os.chdir("/")
        os.environ["HOME"] = "/proc"
        os.environ.pop("PATH", None)
        locale.setlocale(locale.LC_ALL, "C")
        warnings.simplefilter("error")
        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_default_prng_impl", "rbg")
        jax.config.update("jax_threefry_partitionable", not jax.config.jax_threefry_partitionable)
        jax.config.update("jax_default_matmul_precision", "bfloat16")
        jax.config.update("jax_numpy_rank_promotion", "raise")
        jax.config.update("jax_debug_nans", True)
        jax.config.update("jax_disable_jit", True)
        jax.config.update("jax_compilation_cache_dir", None)
"""
MAKE = """
    import optax

    def update(gradients, state, params=None):
        {traced}
        jax.debug.callback(lambda: {run})
        return jax.tree.map(lambda gradient: -0.1 * gradient, gradients), state

    def make(learning_rate):
        {made}
        return optax.GradientTransformation(lambda params: (), update)

    {imported}
"""
PLACES = ("imported", "made", "traced", "run")


def at(place, what):
    """Write a plug-in that does something in one place."""
    return MAKE.format(**dict.fromkeys(PLACES, "None") | {place: what})


#: A problem with batches, and an optimizer with noise.
NEIGHBOURS = (
    "-p",
    "linear_regression[data=synthetic,rows=64,dim=3]",
    "-o",
    "sgd",
    "-o",
    "noisy_sgd",
    "-o",
    "adam",
    "--batch-size",
    "8",
)
WORDS = ("--learning-rate", "0.1,1e6", "--steps", "6", "--seeds", "1", "--report-seeds", "1", "--records", "2")


@pytest.mark.parametrize("place", PLACES)
def test_what_an_optimizer_changes_reaches_no_other_cell(optbench, plugin, whole, kept, tmp_path, place):
    """Before and after it in the same run, with one learning rate whose losses overflow."""
    words = ["run", *NEIGHBOURS, *WORDS, "--no-throughput"]
    spec = plugin(CHANGES + at(place, "change()"))
    first = words.index("-o")
    said = optbench(*words[: first + 2], "-o", spec, *words[first + 2 :], "--name", "with")
    assert said.returncode in (0, 1), said.stderr
    folder = tmp_path / "results" / "with"
    assert len(kept(folder).rows) == 4
    assert whole(words).rows.items() <= kept(folder).rows.items()
    assert "kept in results/with; next: " in said.stdout


def test_what_a_problem_changes_reaches_no_other_cell(optbench, plugin, whole, kept, two, tmp_path):
    spec = plugin(
        CHANGES
        + """
    import jax.numpy as jnp
    from optbench.problems.problem import Problem

    def loss(x, batch, key):
        change()
        return (x * x).sum()

    def optimum():
        change()
        return 0.0

    def make():
        change()
        fields = {"metrics": lambda x, data: {"loss": (x * x).sum()}, "optimum": optimum, "source": "a bowl"}
        return Problem(init=lambda key: jnp.ones(2), loss=loss, **fields)
    """
    )
    said = optbench("run", "-p", spec, *two[1:], "--name", "with")
    assert said.returncode in (0, 1), said.stderr
    folder = tmp_path / "results" / "with"
    assert len(kept(folder).rows) == 4
    assert whole(two).rows.items() <= kept(folder).rows.items()


def test_what_a_plugin_prints_goes_to_stderr(optbench, plugin, two):
    code = "    import jax\n" + MAKE.format(**{place: f"print('{place}')" for place in PLACES})
    spec = plugin(code.replace("print('traced')", "print('traced'); jax.debug.print('debugged')"))
    timed = [word for word in two if word != "--no-throughput"]
    for words in (timed, ["plan", *timed[1:]]):
        said = optbench(*words, "-o", spec, "-o", "sign_sgd")
        assert said.returncode == 0, said.stderr
        assert {type(row) for row in json.loads(said.stdout)} == {dict}
        assert {*PLACES, "debugged"} <= {*said.stderr.split()} or (words[0] == "plan" and "imported" in said.stderr)
