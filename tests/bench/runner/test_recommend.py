"""Recommendations: what fits into the minutes, and a whole one on tiny problems."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

import optbench
from optbench.analyse import costs as analysed
from optbench.cli.app import main
from optbench.request import RequestError
from optbench.runner.recommend.designs import (
    REFINEMENTS,
    SCREENS,
    Costs,
    fewest_seconds,
    nearby_rates,
    refinement,
    report_seeds,
    screening,
    screening_end,
)
from optbench.runner.recommend.recommendation import Tried, _difference
from optbench.runner.recommend.stages import choose_finalists

DIGITS = "mlp[width=4]"
#: A line with a running mean of its inputs.
STATEFUL = """
import jax, jax.numpy as jnp, numpy as np
from optbench.problems import supervised

def init(key):
    return jnp.zeros(2)

def apply(params, x, state):
    state = 0.9 * state + 0.1 * x.mean()
    return (x - state) @ params, state

def make():
    x = np.random.default_rng(0).standard_normal((40, 2)).astype(np.float32)
    return supervised((init, apply, lambda key: jnp.zeros(())), (x, x.sum(1)), loss="squared_error")
"""


def test_the_finest_grid_is_screened_that_holds_enough_optimizers():
    # 32 points of which the worse half is dropped twice are 14 trainings; 12 are 5.25, 6 are 2.625, 4 are 1.75.
    costs = Costs(2.0, 1.0)
    assert costs.grid(SCREENS[0]) == 16.0 and costs.grid(SCREENS[3]) == 3.75
    assert screening(costs, 1000, 12) == (SCREENS[0], 12)
    assert screening(costs, 240, 12) == (SCREENS[0], 6)
    assert screening(costs, 239, 12) == (SCREENS[1], 12)
    # With three candidates three are enough.
    assert screening(costs, 120, 3) == (SCREENS[0], 3)
    assert screening(costs, 47, 12) == (SCREENS[3], 5)
    assert screening(costs, 9, 12) is None


def test_the_finest_refinement_is_taken_for_which_there_is_time():
    costs = Costs(0.0, 1.0)
    seconds = [7 / 16 * design.num_points * design.seeds for design in REFINEMENTS]
    assert seconds == [35.0, 13.125, 4.375, 1.3125]
    assert [refinement(costs, 2 * each, 2) for each in seconds] == list(REFINEMENTS)
    assert refinement(costs, 1.4, 2) == REFINEMENTS[-1] and refinement(costs, 1.3, 2) is None


def test_where_nothing_is_dropped_a_grid_takes_longer():
    costs = Costs(2.0, 1.0, 1.0)
    assert (costs.grid(SCREENS[3]), costs.search) == (6.0, "")
    assert (Costs(2.0, 1.0).grid(SCREENS[3]), Costs(2.0, 1.0).search) == (3.75, "halving")


def test_trainings_with_running_statistics_are_not_dropped_on_the_way(tmp_path, plugin):
    spec = plugin(STATEFUL)
    words = {"optimizers": ["sgd"], "steps": 12, "batch_size": "8", "results": tmp_path / "results"}
    done = optbench.recommend(spec, minutes=2, **words)
    (part,) = optbench.load(tmp_path / "results" / done.folders[1].name).parts
    assert part.results.trial_steps == part.record.select_trials * 12


def test_as_many_seeds_report_as_there_is_time_for():
    costs = Costs(1.0, 1.0)
    assert [report_seeds(costs, each) for each in (42, 41, 12, 8, 1)] == [20, 10, 5, 3, 3]
    # The coarsest grid takes 1 + 4 * 7 / 16 seconds, two reports of three seeds 8.
    assert fewest_seconds(costs) == pytest.approx(2.75 + 8)
    assert fewest_seconds(Costs(6.0, 0.0)) == pytest.approx(6 + 12)


def test_the_screening_leaves_time_for_a_report():
    assert screening_end(Costs(1.0, 1.0), 100) == 70
    assert screening_end(Costs(1.0, 1.0), 20) == 12


def test_the_minutes_that_are_said_to_be_accepted_are_accepted(tmp_path):
    words = {"optimizers": ["sgd"], "steps": 20, "results": tmp_path}
    with pytest.raises(RequestError, match="accepted: ") as refusal:
        optbench.recommend("quadratic[condition=10,dim=5]", minutes=1e-6, **words)
    minutes = float(str(refusal.value).rpartition("accepted: ")[2].split()[0])
    assert minutes == pytest.approx(round(minutes, 1)) and minutes >= 0.1


def test_rates_lie_within_a_step_of_the_grid():
    assert nearby_rates(0.1, [0.01, 0.1, 1.0], 5) == (0.01, 0.03162, 0.1, 0.3162, 1.0)
    assert nearby_rates(0.1, [0.1], 3) == (0.01, 0.1, 1.0)


@pytest.fixture(scope="module")
def recommendation(tmp_path_factory):
    results = tmp_path_factory.mktemp("recommend")
    said = []
    done = optbench.recommend(
        DIGITS, minutes=5, optimizers=["adam", "sgd"], steps=20, batch_size="32", results=results, say=said.append
    )
    return done, results, said


def test_the_better_of_two_finalists_is_recommended(recommendation):
    done, _, said = recommendation
    assert (done.metric, done.best.num_seeds) == ("validation_loss", 20)
    assert {done.best.optimizer, done.runner_up.optimizer} == {"adam", "sgd"}
    assert done.best.value <= done.runner_up.value and done.best.low <= done.best.value <= done.best.high
    assert done.difference.verdict in ("better", "equal", "undecided")
    assert done.best.others["test_accuracy"] > 0.3
    assert [line.split()[0] for line in said if line[:3] in ("scr", "ref", "rep")] == [
        *("screening", "refining", "reporting")
    ]


def test_what_is_recommended_is_what_was_trained(recommendation):
    done, results, _ = recommendation
    report = optbench.load(results / done.folders[-1].name).convergence().to_records()
    row = next(row for row in report if row["optimizer"] == done.best.optimizer)
    assert row["validation_loss"] == pytest.approx(done.best.value)
    assert row["learning_rate"] == done.best.learning_rate


def test_a_difference_of_accuracies_has_the_sign_of_accuracy():
    def errors(values):
        return costs_from(np.array(values), 1.0, -1.0)

    judgement = _difference(errors([0.1, 0.2, 0.1, 0.2]), errors([0.3, 0.4, 0.3, 0.4]))
    assert judgement.difference == pytest.approx(0.2)
    assert judgement.low == pytest.approx(0.2) and judgement.high == pytest.approx(0.2)
    # A loss is lower where it is better.
    losses = [costs_from(np.array(values), 0.0, 1.0) for values in ([0.1, 0.2, 0.1], [0.3, 0.5, 0.3])]
    assert _difference(*losses).low == pytest.approx(-0.3) and _difference(*losses).high == pytest.approx(-0.2)


def costs_from(cost, offset, sign):
    none = np.array([])
    return analysed.Costs("metric", np.arange(len(cost)), cost, offset, sign, 1.0, None, None, None, True, none, none)


def tried(label, stage, seeds, loss):
    job = SimpleNamespace(cell=SimpleNamespace(optimizer=label, seeds=seeds))
    part = SimpleNamespace(results=SimpleNamespace(selected={"train_loss": loss}, criteria=("train_loss",)))
    return Tried(job, part, None, stage)


def test_finalists_are_the_best_of_what_chose_on_the_most_seeds():
    screens = [tried("adam", "screen", 1, 0.1), tried("sgd", "screen", 1, 0.2), tried("lion", "screen", 1, 0.3)]
    refined = [tried("adam", "refine", 1, 0.4), tried("sgd", "refine", 1, 0.25)]
    assert choose_finalists([*refined, *screens]) == screens[:2]
    # On two seeds luck is smaller: the screening no longer counts.
    surer = [tried("adam", "refine", 2, 0.4), tried("sgd", "refine", 2, 0.25)]
    assert choose_finalists([*surer, *screens]) == surer[::-1]
    # As good on as many seeds: what was refined has its neighbours tried.
    equal = tried("adam", "refine", 1, 0.1)
    assert choose_finalists([*screens, equal])[0] is equal


def test_its_lines_build_an_optimizer(recommendation):
    names = {}
    exec("\n".join(recommendation[0].lines), names)
    assert names["optimizer"].init({"weights": np.zeros(3)}) is not None


def test_a_batch_size_costs_seconds(recommendation):
    (row,) = recommendation[0].batch_sizes.to_records()
    assert (row["batch_size"], row["steps"]) == (32, 20)
    assert row["training_seconds"] == pytest.approx(20 * row["step_seconds"])


def test_the_same_command_goes_on_from_there(recommendation):
    done, results, _ = recommendation
    seen = []
    again = optbench.recommend(
        DIGITS,
        minutes=5,
        optimizers=["adam", "sgd"],
        steps=20,
        batch_size="32",
        results=results,
        on_progress=lambda progress: seen.append(progress.outcome),
    )
    assert seen.count("kept") >= 4 and again.best.optimizer == done.best.optimizer


def test_a_problem_without_rows_is_optimised_by_its_train_loss(tmp_path, capsys):
    words = ["quadratic[condition=10,dim=5]", "-o", "sgd", "--minutes", "1", "--steps", "20", "--json"]
    assert main(["recommend", *words, "--results", str(tmp_path)]) == 0
    fields = json.loads(capsys.readouterr().out)
    assert fields["metric"] == "train_loss" and fields["runner_up"] is None
    assert fields["best"]["batch_size"] == "full" and fields["best"]["optimizer"] == "sgd"
    assert fields["best"]["lines"][0] == "import optax"
    assert fields["best"]["value"] > 1e-6
    assert fields["next_steps"][0].endswith("misses the target of 1e-06 in 20 steps: try more --steps")


def test_where_no_target_is_met_the_loss_decides(tmp_path):
    said = []
    words = {"by": "seconds_to_target", "steps": 10, "optimizers": ["sgd"], "batch_size": "32", "results": tmp_path}
    done = optbench.recommend(DIGITS, minutes=2, **words, say=said.append)
    assert done.metric == "validation_loss" and np.isfinite(done.best.value)
    assert "no optimizer reached train_loss 0.01 in 10 steps: validation_loss chooses instead" in said


def test_seconds_to_a_target_decide(tmp_path):
    words = {"by": "seconds_to_target", "steps": 100, "optimizers": ["sgd", "lbfgs"], "results": tmp_path}
    done = optbench.recommend("quadratic[condition=10,dim=5]", minutes=2, **words)
    seconds = [row["seconds_to_target"] for row in done.tried.to_records() if row["stage"] == "refine"]
    # Ten updates of this problem take microseconds, and not ten seconds: steps were not taken for seconds.
    assert done.metric == "time_to_target" and len(seconds) == 2 and max(seconds) < 1
    assert done.best.value < 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"minutes": 0}, "minutes: 0 is not accepted; accepted: a number > 0"),
        ({"minutes": float("inf")}, "minutes: inf is not accepted; accepted: a number > 0"),
        ({"by": "validation_lss"}, "did you mean 'validation_loss'"),
        ({"by": "validation_accuracy"}, "not accepted for a problem without validation rows; accepted: train_loss"),
        ({"minutes": 1e-4}, r"minutes: 0\.0001 is not accepted; a training of 100 steps takes about .* accepted: "),
    ],
)
def test_what_cannot_be_recommended_is_refused(tmp_path, words, message):
    with pytest.raises(RequestError, match=message):
        optbench.recommend("quadratic", steps=100, **words, results=tmp_path)


def test_several_problems_are_refused(tmp_path):
    with pytest.raises(RequestError, match="several problems or batch sizes; accepted: one of each"):
        optbench.recommend("quadratic[dim=2,3]", results=tmp_path)


OWN = """
    import optax
    def make(learning_rate):
        return optax.sgd(learning_rate * {factor})
"""


def test_what_always_diverges_is_not_recommended(tmp_path, plugin):
    words = {"optimizers": [plugin(OWN.format(factor="float('nan')"))], "steps": 10, "results": tmp_path / "results"}
    with pytest.raises(RequestError, match=r"every training diverged, at every learning rate, of .*plug\.py:make"):
        optbench.recommend("quadratic[condition=10,dim=5]", minutes=2, **words)


def test_lines_of_a_file_leave_its_optimizer_behind(tmp_path, plugin, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    words = {"optimizers": [plugin(OWN.format(factor=1))], "steps": 10, "results": tmp_path / "results"}
    done = optbench.recommend("quadratic[condition=10,dim=5]", minutes=2, **words)
    names = {}
    exec("\n".join(done.lines), names)
    assert "from plug import make" in done.lines
    assert names["optimizer"].init({"weights": np.zeros(3)}) is not None
