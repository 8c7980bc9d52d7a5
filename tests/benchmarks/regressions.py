"""Does `optbench history check` catch true regressions, and leave noise alone?

Run as a script: `.venv/bin/python tests/benchmarks/regressions.py [repeats]`. Two plug-ins are run, timed anew and
added so many times as they are, then three times with an update made slower by a tenth, then with a wrong bias
correction. Takes about twenty seconds a repeat.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

#: Its work is Newton's steps: 220 in place of 200 are an update a tenth slower.
NEWTON = """import jax
import jax.numpy as jnp
import optax


def inverse_root(square):
    def step(_, root):
        return root * (1.5 - 0.5 * square * root**2)

    return jax.lax.fori_loop(0, {steps}, step, jnp.ones_like(square))


def make(learning_rate):
    def scale(gradient, params=None):
        return jax.tree.map(lambda g: -learning_rate * g * inverse_root(1 + g * g), gradient)

    return optax.stateless(scale)
"""
#: The mean of the gradients begins at zero: not corrected, the first updates are ten times too small.
ADAM = """import jax
import optax


def make(learning_rate, b1=0.9, b2=0.999, eps=1e-8):
    def init(params):
        zeros = jax.tree.map(lambda leaf: 0 * leaf, params)
        return zeros, zeros, 0

    def update(gradient, state, params=None):
        mean, square, count = state
        count = count + 1
        mean = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, mean, gradient)
        square = jax.tree.map(lambda s, g: b2 * s + (1 - b2) * g * g, square, gradient)
        first, second = 1 - {b1}**count, 1 - {b2}**count
        moved = jax.tree.map(lambda m, s: -learning_rate * m / first / ((s / second) ** 0.5 + eps), mean, square)
        return moved, (mean, square, count)

    return optax.GradientTransformation(init, update)
"""
WORDS = (
    *("-p", "mlp[width=64]", "--batch-size", "32", "--steps", "100", "--learning-rate", "1e-3:1:8"),
    *("--report-seeds", "10", "-o", "./my_adam.py:make", "-o", "./my_newton.py:make"),
)
#: What is changed is timed so often, and judged together.
NEWEST = 3


def optbench(folder: Path, *words: str) -> tuple[int, str]:
    """Run a command; one that isn't a check has to succeed."""
    command = [sys.executable, "-c", "import sys; from optbench.cli import main; sys.exit(main(sys.argv[1:]))", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode and words[:2] != ("history", "check"):
        raise SystemExit(f"optbench {' '.join(words)}: {done.stderr}")
    return done.returncode, done.stdout


def write(folder: Path, steps: int = 200, b1: str = "b1", b2: str = "b2") -> None:
    (folder / "my_newton.py").write_text(NEWTON.format(steps=steps))
    (folder / "my_adam.py").write_text(ADAM.replace("{b1}", b1).replace("{b2}", b2))


def measure(folder: Path, label: str) -> None:
    optbench(folder, "run", *WORDS, "--name", "mine", "--no-throughput")
    optbench(folder, "throughput", *WORDS, "--name", "mine")
    optbench(folder, "history", "add", "mine", "--label", label)


def main(repeats: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, alarms = Path(name), []
        write(folder)
        for number in range(repeats):
            measure(folder, f"repeat {number + 1}")
            code, text = optbench(folder, "history", "check") if number else (0, "")
            alarms += [number + 1] if code else []
            print(f"repeat {number + 1}: {text.splitlines()[0] if text else 'the first'}", flush=True)
            if code:
                print(text, flush=True)
        print(f"alarms in {len(alarms)} of {repeats} repeats: {alarms}")
        for label, change in {"update a tenth slower": {"steps": 220}, "wrong bias correction": {"b1": "b2"}}.items():
            write(folder, **change)
            for _ in range(NEWEST):
                measure(folder, label)
            code, text = optbench(folder, "history", "check", "--newest", str(NEWEST))
            print(f"\n{label}: exit code {code}\n{text}", flush=True)
            optbench(folder, "history", "prune", *_kept(repeats))


def _kept(repeats: int) -> list[str]:
    return [word for number in range(repeats) for word in ("--keep", f"repeat {number + 1}")]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
