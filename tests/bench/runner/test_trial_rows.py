"""What becomes of curves: the rows that are kept, and no end below the known optimum."""

import numpy as np
import pyarrow as pa
import pytest

from optbench.planning.jobs import pick_device, plan_jobs, resolve_suite
from optbench.runner.trial_rows import BelowOptimumError, check_optimum, curve_rows, failed_rows
from optbench.store import schema
from optbench.store.schema import trial_rows
from optbench.sweep.curves import Curves

BOWL = "quadratic[dim=3,condition=2]"
LINE = "linear_regression[data=synthetic,rows=20,dim=2]"


def job(problem=BOWL, optimizer="sgd_momentum[momentum=0.5,0.9]", **asked):
    """Plan a cell of 4 points, or 2 where there is no momentum, and 3 seeds."""
    asked |= {"learning_rate": "0.1", "schedule": "constant,cosine", "seeds": 3, "studies": 1}
    (planned,) = plan_jobs(
        resolve_suite(None, problems=[problem], optimizers=[optimizer], **asked), pick_device("cpu").device_kind
    )
    return planned


def measured(seeds, points):
    """Make up curves [seed, point, record] of 4 records in 6 steps, where each third trial meets what isn't finite."""
    draw, shape = np.random.default_rng(0).uniform, (seeds, points)
    at = np.where(np.arange(seeds * points).reshape(shape) % 3 == 1, 3, -1)
    step = np.array([0, 2, 4, 6])

    def frozen(values, when):
        return np.where((at[..., None] >= 0) & (when >= at[..., None]), np.nan, values)

    train = draw(size=(*shape, 4)) + 4 - step
    # One trial ends above its start, one at infinity.
    train[0, 0, -1], train[-1, 0, 1], train[-1, -1, -1] = 9, np.inf, np.inf
    return Curves(
        step=step,
        metrics={"train_margin": frozen(draw(size=(*shape, 4)), step), "train_loss": frozen(train, step)},
        batch_loss=np.concatenate([np.full((*shape, 1), np.nan), frozen(train, step)[..., 1:]], axis=-1),
        step_loss=frozen(draw(size=(*shape, 6)), np.arange(6)),
        gradient_evaluations=np.broadcast_to(2 * step, (*shape, 4)).astype(np.int32),
        diverged_at=at.astype(np.int32),
        stopped_at=np.full(points, -1),
    )


def row_by_row(job, phase, curves, settings, examples_per_step, exact):
    """Write the same rows as a plain loop over trials."""
    rows = []
    for seed, point in np.ndindex(curves.diverged_at.shape):
        at, loss = int(curves.diverged_at[seed, point]), curves.metrics["train_loss"][seed, point].tolist()
        # The ends of these curves that are finite lie nowhere far above their starts.
        status = "worse than the start" if loss[-1] > loss[0] else "ok"
        status = "diverged" if at >= 0 or not np.isfinite(loss[-1]) else status
        row = {"phase": phase, "problem": job.cell.problem, "optimizer": job.cell.optimizer, "dtype": "float32"}
        row |= {"batch_size": str(job.cell.batch_size), "seed": seed, "point": point}
        row |= {"hyperparameters": {name: value for name, value in settings[seed][point].items() if name != "schedule"}}
        row |= {"schedule": settings[seed][point]["schedule"], "status": status}
        row |= {"diverged_at": at if at >= 0 else None, "step": curves.step}
        row |= {"examples": [int(step) * examples_per_step for step in curves.step]}
        row |= {"gradient_evaluations": curves.gradient_evaluations[seed, point]}
        row |= {"batch_loss": curves.batch_loss[seed, point]}
        row |= {"step_loss": curves.step_loss[seed, point] if exact else None}
        rows.append(row | {name: metric[seed, point] for name, metric in curves.metrics.items()})
    return trial_rows(rows)


def assert_same(table, other):
    """Hold that two tables are equal to the last bit; repr tells floats apart, and NaN equals itself in it."""
    assert table.schema == other.schema
    assert repr(table.to_pylist()) == repr(other.to_pylist())


@pytest.mark.parametrize(
    ("given", "examples_per_step", "exact"),
    [
        ({}, 1, True),
        ({"optimizer": "sgd"}, 1, True),
        ({"problem": LINE, "batch_size": "full"}, None, True),
        ({"problem": LINE, "batch_size": "4"}, 4, False),
        # Evaluated at other parameters than those of its updates.
        ({"optimizer": "schedule_free_sgd"}, 1, False),
    ],
    ids=["full", "no-momentum", "full-data", "batches", "averaged"],
)
@pytest.mark.parametrize("group", [2, 2000])
def test_columns_hold_what_a_loop_over_trials_writes(given, examples_per_step, exact, group, monkeypatch):
    monkeypatch.setattr(schema, "GROUP_TRIALS", group)
    planned = job(**given)
    points, count = planned.cell.points, examples_per_step or planned.problem.num_rows
    # What is reported may be another choice in each study.
    for phase, settings in (
        ("select", [points] * 3),
        ("report", [points[seed % len(points) :][:1] for seed in range(5)]),
    ):
        curves = measured(len(settings), len(settings[0]))
        plain = given.get("optimizer") != "schedule_free_sgd"
        table = curve_rows(planned, phase, curves, settings, plain)
        assert_same(table, row_by_row(planned, phase, curves, settings, count, exact))
        assert set(table["status"].to_pylist()) == {"ok", "diverged", "worse than the start"}


def test_arrays_may_lie_in_any_order():
    planned, curves = job(), measured(3, 4)
    turned = Curves(
        **{
            name: value if name in ("step", "metrics") else np.asfortranarray(value)
            for name, value in vars(curves).items()
        }
    )
    settings = [planned.cell.points] * 3
    assert_same(curve_rows(planned, "select", turned, settings), curve_rows(planned, "select", curves, settings))


def test_a_failed_cell_has_a_row_per_trial():
    planned = job()
    rows = failed_rows(planned.cell, "oom", "too large").to_pylist()
    assert [(row["seed"], row["point"]) for row in rows] == list(np.ndindex(3, 4))
    assert {(row["phase"], row["status"], row["message"]) for row in rows} == {("select", "oom", "too large")}
    for row in rows:
        point = planned.cell.points[row["point"]]
        assert dict(row["hyperparameters"]) | {"schedule": row["schedule"]} == point
        assert row["step"] is row["train_loss"] is row["diverged_at"] is None


def ends(*last, first=2.0):
    return trial_rows([{"train_loss": [first, loss]} for loss in last])


@pytest.mark.parametrize(
    ("last", "dtype"),
    [
        ((1.0, 1.5), "float32"),
        ((float("nan"), float("inf")), "float32"),
        # Rounding: 100 units in the last place of the initial loss 2, which are 2.4e-5 and 4.4e-14.
        ((1.0 - 2.3e-5,), "float32"),
        ((1.0 - 4.4e-14,), "float64"),
    ],
    ids=["above", "not-finite", "rounded-32", "rounded-64"],
)
def test_at_the_optimum_is_right(last, dtype):
    check_optimum(ends(*last), 1.0, dtype)


@pytest.mark.parametrize("first", [float("nan"), float("inf")])
def test_a_start_that_is_not_finite_is_right(first):
    check_optimum(ends(1.0, first=first), 1.0, "float32")


@pytest.mark.parametrize(("last", "dtype"), [(0.9, "float32"), (1.0 - 2.5e-5, "float32"), (1.0 - 5e-14, "float64")])
def test_below_the_optimum_is_wrong(last, dtype):
    with pytest.raises(BelowOptimumError, match=r"below the known optimum 1\.0"):
        check_optimum(ends(1.5, last), 1.0, dtype)


def test_below_the_optimum_is_wrong_in_each_piece_of_a_column():
    pieces = pa.concat_tables([ends(1.5), ends(1.5, 0.5), ends(1.5)])
    with pytest.raises(BelowOptimumError, match=r"a trial ended at 0\.5,"):
        check_optimum(pieces.slice(1), 1.0, "float32")


def test_without_an_optimum_anything_goes():
    check_optimum(ends(-1e9), None, "float32")
