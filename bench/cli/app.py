"""The application, and how every mistake becomes one line on stderr and exit code 2."""

import os
import sys
import warnings
from contextlib import suppress
from importlib.metadata import version
from io import TextIOWrapper
from typing import TextIO

from cyclopts import App, Parameter
from cyclopts.exceptions import CycloptsError, MissingArgumentError, UnknownOptionError, UnusedCliTokensError

from optbench.cli.signals import INTERRUPTED, end_now, exit_code, heed_signals

app = App(
    name="optbench",
    help="Benchmark optimizers: every optax optimizer over grids of learning rate, batch size and weight decay.",
    version=lambda: version("optbench"),
    # The plain formatter keeps help readable in a pipe, and loads in half the time.
    help_format="plaintext",
    suppress_keyboard_interrupt=False,
    # A list is empty where it isn't given: no --empty-problem.
    default_parameter=Parameter(negative_iterable=()),
)
#: Command -> where it is, and its line in `--help`, which then needs to load none of them.
COMMANDS = {
    "run": ("optbench.cli.run:run", "Train every cell of a suite and print the convergence table."),
    "tune": ("optbench.cli.tune:tune", "Find each optimizer's best settings for the same stated budget."),
    "recommend": ("optbench.cli.recommend:recommend", "Recommend an optimizer and its settings within some minutes."),
    "plan": ("optbench.cli.run:plan", "Count cells, trials and compiles; estimate minutes and memory."),
    "throughput": ("optbench.cli.throughput:throughput", "Time what a step of each optimizer costs."),
    "list": ("optbench.cli.list:list_app", "List problems, optimizers, suites or runs."),
    "table": ("optbench.cli.table:table", "Print a table of a run."),
    "plot": ("optbench.cli.plot:plot", "Draw a figure of a run as SVG, PDF or PNG, with its caption."),
    "compare": ("optbench.cli.compare:compare", "Say which optimizer is better, where, and how sure that is."),
    "explain": (
        "optbench.cli.explain:explain",
        "Say what a word or a column means, with unit and formula; list all words.",
    ),
    "report": ("optbench.cli.report:report", "Write one offline page of a run, or of several."),
    "history": (
        "optbench.cli.history:history_app",
        "Track convergence and speed over time; fail when either gets worse.",
    ),
    "doctor": ("optbench.cli.tools:doctor", "Check devices, versions, precision, cache, memory and a tiny sweep."),
    "new": ("optbench.cli.tools:new_app", "Write a template of your own optimizer or problem."),
    "completion": ("optbench.cli.tools:completion", "Print the completion script of a shell."),
}
#: Streams that stay open to the end of the process.
_KEPT: list[TextIO] = []
_FORMAT_WARNING = warnings.formatwarning
for _name, (_place, _help) in COMMANDS.items():
    app.command(_place, name=_name, help=_help, sort_key=list(COMMANDS).index(_name))


def main(arguments: list[str] | None = None) -> int:
    """Run a command line, the process's own where none is given.

    Returns the exit code: 0 done, 1 some cells failed, 2 a mistake, 130 interrupted, 143 terminated, 129 hung up.
    """
    if arguments is not None:
        return _call(arguments)
    heed_signals()
    warnings.formatwarning = _format_warning
    # What a terminal can't show is shown as on stderr: \xe4 for an umlaut.
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
    _keep_stdout()
    code = _call(None)
    _release_stdout()
    if code > 1:
        # Python itself would wait for the thread that compiles, for minutes where a network is large.
        end_now(code)
    return code


def _keep_stdout() -> None:
    """Keep stdout for what the command prints: what a plug-in's subprocesses and C code write there goes to stderr."""
    with suppress(OSError, ValueError):
        encoding, errors = sys.stdout.encoding, sys.stdout.errors
        sys.stdout.flush()
        own = os.dup(1)
        os.dup2(2, 1)
        sys.stdout = open(own, "w", encoding=encoding, errors=errors, buffering=1 if os.isatty(own) else -1)  # noqa: SIM115


def _release_stdout() -> None:
    """Write what was printed, and send to stderr what plug-ins print when the process ends."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    _KEPT.append(sys.stdout)
    sys.stdout = sys.stderr


def _format_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Return a warning as it is written on stderr: one of optbench's own as a sentence, others as Python does."""
    if category.__module__.startswith("optbench."):
        return f"optbench: {message}\n"
    return _FORMAT_WARNING(message, category, filename, lineno, line)


def _call(arguments: list[str] | None) -> int:
    try:
        code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return _fail(f"{_in_our_words(error)} (see: {' '.join(('optbench', *(error.command_chain or ())))} --help)")
    except KeyboardInterrupt as error:
        with suppress(OSError):
            print(f"\n{INTERRUPTED}", file=sys.stderr)
        return exit_code(error)
    except BrokenPipeError:
        # Whoever read our output has had enough (`optbench table ... | head`).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if _is_mistake(error):
            return _fail(str(error))
        raise
    return code if isinstance(code, int) else 0


#: Words of other programs -> those of this one.
_OTHER_WORDS = {
    "--lr": "--learning-rate",
    "--learning-rates": "--learning-rate",
    "--wd": "--weight-decay",
    "--bs": "--batch-size",
    "--batch": "--batch-size",
    "--batchsize": "--batch-size",
    "--opt": "--optimizer",
    "--optim": "--optimizer",
    "--iterations": "--steps",
    "--iters": "--steps",
    "--num-steps": "--steps",
    "--max-steps": "--steps",
    "--num-epochs": "--epochs",
    "--num-seeds": "--seeds",
    "--precision": "--dtype",
    "--dataset": "-p 'FAMILY[data=FILE]'",
    "--data": "-p 'FAMILY[data=FILE]'",
    "--out": "--output",
    "--minutes": "--max-minutes",
}


def _in_our_words(error: CycloptsError) -> str:
    """Return a message that says what is missing or too much, or this program's word for another one's option."""
    command = " ".join(error.command_chain or ())
    if isinstance(error, MissingArgumentError) and error.argument is not None and error.keyword is None:
        name = error.argument.name
        return f"{command}: {name.lstrip('-').upper() if error.argument.field_info.is_positional else name} is missing"
    if isinstance(error, UnusedCliTokensError):
        return f"{command}: too much: {' '.join(error.unused_tokens or ())!r}"
    if not isinstance(error, UnknownOptionError):
        return str(error)
    word = (error.token.keyword or error.token.value).partition("=")[0]
    known = {name for argument in error.argument_collection for name in argument.names}
    own = _OTHER_WORDS.get(word.replace("_", "-").lower(), "")
    return f"Unknown option: {word}. Did you mean {own}?" if own in known or own.startswith("-p ") else str(error)


def _is_mistake(error: Exception) -> bool:
    # Here, so that `--help` loads neither.
    from optbench.errors import StoreError
    from optbench.request import RequestError

    return isinstance(error, RequestError | StoreError)


def _fail(message: str) -> int:
    print("optbench: " + " ".join(message.split()), file=sys.stderr)
    return 2
