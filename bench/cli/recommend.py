"""`optbench recommend`."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from optbench.cli.options import Count, ResultsFolder
from optbench.cli.output import text, width

if TYPE_CHECKING:
    from optbench.runner.recommend.recommendation import Recommendation, Settings


def recommend(
    problem: str,
    *,
    minutes: Annotated[float, Parameter(allow_leading_hyphen=True)] = 10.0,
    by: Literal["validation_loss", "validation_accuracy", "seconds_to_target", "train_loss"] | None = None,
    optimizer: Annotated[list[str] | None, Parameter(alias="-o")] = None,
    steps: Count = None,
    batch_size: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    seed: Count = None,
    device: Literal["cpu", "gpu"] | None = None,
    results: ResultsFolder = "results",
    name: str | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Recommend an optimizer with all its settings for a problem, as far as some minutes can tell.

    Parameters
    ----------
    problem
        Problem, as in mlp[depth=4] or ./file.py:make.
    minutes
        Time for all of it: no cell begins later.
    by
        What to optimise; where not given, the validation loss, or the train loss of a problem without validation rows.
    optimizer
        Candidate, a pattern or ./file.py:make; repeat for several, the most promising first, since those are tried for
        which there is time. Where not given, twelve well-known ones.
    steps
        Updates of a training at the problem's batch size; other batch sizes see as many examples.
    batch_size
        The only batch size to try; where not given, the problem's own, a quarter and four times of it.
    seed
        Base of all seeds.
    device
        Device; jax's own choice where not given.
    name
        First part of the names of its runs: NAME-screen, NAME-refine and NAME-report.
    json
        Print JSON, and nothing else, on stdout.
    """
    from optbench.cli.progress import Reporter
    from optbench.runner.recommend.designs import CANDIDATES
    from optbench.runner.recommend.recommend import recommend as search

    with Reporter() as reporter:
        recommendation = search(
            problem,
            minutes=minutes,
            by=by,
            optimizers=optimizer or CANDIDATES,
            steps=steps,
            batch_size=batch_size,
            seed=seed or 0,
            device=device,
            results=results,
            name=name,
            on_plan=reporter.plan,
            on_progress=reporter.progress,
            say=reporter.say,
        )
    print(_json(recommendation) if json else _text(recommendation))
    return 0


def _text(recommendation: "Recommendation") -> str:
    from optbench.present.plain import wrapped

    best, other = recommendation.best, recommendation.runner_up
    lines = [f"{recommendation.problem}: {_settings(best)}", f"  {_value(recommendation.metric, best)}"]
    lines += [f"  {name} {value:.4g}" for name, value in best.others.items()]
    if other is not None:
        lines += ["", f"runner-up: {_settings(other)}", f"  {_value(recommendation.metric, other)}"]
        lines += [f"  {_verdict(recommendation)}"]
    # Lines of code and commands stay whole, to be copied.
    lines = [wrapped(line, width(), "    ") for line in lines]
    tables = [recommendation.batch_sizes, recommendation.tried]
    lines += [part for table in tables if table.rows for part in ("", text(table))]
    lines += ["", "in a training script:", "", *(f"    {line}".rstrip() for line in best.lines), ""]
    lines += [f"next: {step}" for step in recommendation.next_steps]
    runs = ", ".join(str(folder) for folder in recommendation.folders)
    lines += [f"{recommendation.seconds:.0f} s; kept in {runs}"]
    return "\n".join(lines)


def _settings(settings: "Settings") -> str:
    own = "".join(f", {name} {value:.4g}" for name, value in settings.hyperparameters.items())
    return (
        f"{settings.optimizer}, learning rate {settings.learning_rate:.4g}, weight decay {settings.weight_decay:.4g}, "
        f"schedule {settings.schedule}{own}, batch size {settings.batch_size}, {settings.steps} steps"
    )


def _value(metric: str, settings: "Settings") -> str:
    return (
        f"{metric} {settings.value:.4g} [{settings.low:.4g}, {settings.high:.4g}], "
        f"the median over {settings.num_seeds} fresh seeds"
    )


def _verdict(recommendation: "Recommendation") -> str:
    """Say whether the difference from the runner-up is real."""
    judgement = recommendation.difference
    assert judgement is not None
    p = "" if judgement.p_value is None else f", p {judgement.p_value:.2g}"
    interval = f"{judgement.difference:+.3g} [{judgement.low:+.3g}, {judgement.high:+.3g}]{p}"
    words = {
        "better": "significant",
        "worse": "significant",
        "equal": "equal within 5 %",
        "undecided": "not significant, it may be chance",
    }
    return f"difference of the first from it, seed by seed: {interval}: {words[judgement.verdict]}"


def _json(recommendation: "Recommendation") -> str:
    import json
    import math

    def plain(value: Any) -> Any:
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        return [plain(each) for each in value] if isinstance(value, list | tuple) else value

    fields = {
        "problem": recommendation.problem,
        "metric": recommendation.metric,
        "best": dataclasses.asdict(recommendation.best),
        "runner_up": None if recommendation.runner_up is None else dataclasses.asdict(recommendation.runner_up),
        "difference": None if recommendation.difference is None else recommendation.difference._asdict(),
        "batch_sizes": recommendation.batch_sizes.to_records(),
        "tried": recommendation.tried.to_records(),
        "next_steps": list(recommendation.next_steps),
        "runs": [str(folder) for folder in recommendation.folders],
        "seconds": recommendation.seconds,
    }
    return json.dumps(plain(fields), indent=2)
