"""`optbench doctor`, `optbench new` and `optbench completion`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from optbench.cli.output import show

TEMPLATES = Path(__file__).parent / "templates"

new_app = App(name="new", help="Write a template of your own optimizer or problem.")


def doctor(
    *,
    device: Literal["cpu", "gpu"] | None = None,
    results: str = "results",
    limits: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Check devices, versions, precision, cache and memory, and a tiny sweep against its closed form.

    Parameters
    ----------
    device
        Device; jax's own choice where not given.
    results
        Folder of all runs, or a URL such as s3://bucket/results.
    limits
        Measure how fast the device moves memory and multiplies matrices, in place of the checks.
    json
        Print JSON.
    """
    from optbench.present.table import Table
    from optbench.runner.doctor import examine, limits_table

    if limits:
        show(limits_table(device), "json" if json else "plain")
        return 0
    checks = examine(device, results)
    table = Table("doctor", ("check", "found", "ok"), tuple((name, found, ok) for name, found, ok in checks))
    show(table, "json" if json else "plain")
    return 0 if all(ok is not False for _, _, ok in checks) else 1


@new_app.command
def optimizer(name: str) -> None:
    """Write NAME.py with an optimizer of your own to start from."""
    _write("optimizer", name, f"optbench run -o ./{name}.py:make -o adamw")


@new_app.command
def problem(name: str, *, model: Literal["flax", "linen", "functions"] | None = None) -> None:
    """Write NAME.py with a problem of your own to start from.

    Parameters
    ----------
    model
        A model on rows of inputs and targets: of flax.nnx, of flax.linen, or plain functions. Without it the file
        holds a loss of your own.
    """
    template = f"model_{model}" if model else "problem"
    _write("problem", name, f"optbench run -p ./{name}.py:make -o adamw -o sgd", template)


def _write(kind: str, name: str, command: str, template: str = "") -> None:
    from optbench.request import RequestError

    if not name.isidentifier():
        raise RequestError(f"name {name!r} is not accepted; accepted: letters, digits and _, as in my_{kind}")
    path = Path(f"{name}.py")
    try:
        with path.open("x") as file:
            file.write((TEMPLATES / f"{template or kind}.py").read_text())
    except OSError as error:
        raise RequestError(f"can't write {path}: {error.strerror}") from error
    print(f"wrote {path}; try it: {command}")


def completion(shell: Literal["bash", "zsh", "fish"]) -> None:
    """Print the completion script of a shell.

    Parameters
    ----------
    shell
        bash, zsh or fish.
    """
    from optbench.cli.app import app

    print(app.generate_completion(shell=shell))
