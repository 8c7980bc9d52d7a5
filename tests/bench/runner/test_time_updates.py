"""Updates alone: the table by hand, what is left out or refused, and whom a failure costs."""

import json

import pytest

from optbench.present.formats import format_table
from optbench.request import RequestError
from optbench.runner.time_updates import COLUMNS, update_throughput
from optbench.sweep import devices
from optbench.timing.limits import Limit

COPY, PRODUCT = 1e9, 1e12


@pytest.fixture(autouse=True)
def _made_up_limits(monkeypatch):
    made_up = Limit("float32", 2**20, 1.0, COPY), Limit("float32", 2048, 1.0, PRODUCT)
    monkeypatch.setattr("optbench.runner.time_updates.limits", lambda dtype, device: made_up)
    monkeypatch.setattr("optbench.timing.timer.SHORTEST_CALL", 1e-4)


def measure(**given):
    asked = {"optimizers": ["sgd"], "parameters": [1000], "shape": "flat", "repeats": 6, "min_seconds": 1e-3}
    return update_throughput(**asked | given)


def records(table):
    return json.loads(format_table(table, "json"))


def test_rows_by_hand():
    said = []
    table = measure(optimizers=["adamw", "sgd"], parameters=[1000, 2000], shape="transformer", say=said.append)
    rows = records(table)
    assert [tuple(row) for row in rows] == [COLUMNS] * 4
    assert all(value is not None for row in rows for value in row.values())
    # Rows of 64, and what is left over.
    assert [(row["parameters"], row["leaves"]) for row in rows] == [(1000, 2)] * 2 + [(2000, 2)] * 2
    for row in rows:
        num, seconds = row["parameters"], row["update_seconds"]
        state = 8 * num + 4 if row["optimizer"] == "adamw" else 0
        assert (row["shape"], row["dtype"]) == ("transformer", "float32")
        assert row["update_seconds_low"] <= seconds <= row["update_seconds_high"]
        assert (row["state_bytes"], row["state_bytes_per_parameter"]) == (state, state / num)
        assert row["bytes_read_written"] == 3 * 4 * num + 2 * state
        assert row["bytes_per_second"] == pytest.approx(row["bytes_read_written"] / seconds)
        assert row["percent_of_copy"] == pytest.approx(100 * row["bytes_per_second"] / COPY)
        assert row["flops_per_second"] == pytest.approx(row["flops_per_update"] / seconds)
        assert row["percent_of_product"] == pytest.approx(100 * row["flops_per_second"] / PRODUCT)
    assert [row["sgd_ratio"] for row in rows if row["optimizer"] == "sgd"] == [1, 1]
    for some in (rows[:2], rows[2:]):
        assert some[0]["update_seconds"] <= some[1]["update_seconds"]
    assert said == [f"timing 2 updates of {num} parameters, transformer" for num in (1000, 2000)]
    assert "a copy of 1 MiB at 1 GB/s, a float32 product of 2048 rows at 1e+03 GFLOP/s" in table.notes[0]


def test_what_evaluates_the_problem_is_left_out():
    table = measure(optimizers=["sgd", "lbfgs", "sam", "sophia"])
    assert [row["optimizer"] for row in records(table)] == ["sgd"]
    assert table.notes[-1].startswith("left out, ") and table.notes[-1].endswith(": lbfgs, sam, sophia")


def test_nothing_may_be_left():
    table = measure(optimizers=["lbfgs"])
    assert records(table) == []
    assert table.notes[-1].endswith(": lbfgs")


def test_nothing_is_noted_where_all_run():
    assert not any("left out" in note for note in measure().notes)


def test_what_can_be_fed_runs():
    """A loss to one; gradients of single examples and a seed to the other."""
    rows = records(measure(optimizers=["polyak_sgd", "dpsgd"], parameters=[50]))
    assert {row["optimizer"] for row in rows} == {"polyak_sgd", "dpsgd"}
    assert all(row["update_seconds"] is not None for row in rows)


def test_the_middle_of_a_grid_is_timed(monkeypatch):
    given = {}

    def time_tree(timed, tree, dtype, *_):
        given.update({label: settings for label, (_, settings) in timed.items()})
        return [], []

    monkeypatch.setattr("optbench.runner.time_updates._time_tree", time_tree)
    grid = {"learning_rate": "0.1,0.2,0.3", "weight_decay": "0.5"}
    measure(optimizers=["adamw[b1=0.8]", "sgd_nesterov", "galore[rank=2]"], **grid)
    shared = {"learning_rate": 0.2, "weight_decay": 0.5}
    assert given == {"adamw": shared | {"b1": 0.8}, "sgd_nesterov": shared, "galore[rank=2]": shared | {"rank": 2}}


def test_float64():
    (row,) = records(measure(dtype="float64"))
    assert (row["dtype"], row["bytes_read_written"]) == ("float64", 3 * 8 * 1000)


def test_a_failure_costs_its_own_row(plugin):
    spec = plugin("def make(learning_rate):\n    raise ValueError('boom\\nsecond line')\n")
    table = measure(optimizers=["sgd", spec])
    first, failed = records(table)
    assert (first["optimizer"], first["sgd_ratio"]) == ("sgd", 1)
    assert failed["optimizer"] == spec and failed["update_seconds"] is None
    assert f"{spec}: ValueError: boom (plug.py line 2)" in table.notes


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"shape": "transfomer"}, "unknown shape 'transfomer'; did you mean 'transformer'? accepted: transformer, "),
        ({"dtype": "bfloat16"}, "dtype 'bfloat16' is not accepted for updates alone, .*accepted: float32, float64"),
        ({"repeats": 5}, "repeats: 5 is not accepted; accepted: 6 or more"),
        ({"optimizers": ["adm"]}, "'adm'; did you mean 'adam'"),
    ],
    ids=["shape", "precision", "repeats", "optimizer"],
)
def test_refuses(given, said):
    with pytest.raises(RequestError, match=said.replace("?", "[?]")):
        measure(**given)


def test_refuses_what_does_not_fit(monkeypatch):
    """Of a billion, adamw takes 28 GB: 4 of gradient, twice 12 of parameters and two moments; sgd takes 12 beside."""
    monkeypatch.setattr(devices, "memory_limit_bytes", lambda device: 20 * 10**9)
    with pytest.raises(RequestError) as told:
        measure(optimizers=["sgd", "adamw"], parameters=[1000, 10**9])
    assert str(told.value).startswith(
        "parameters: 1e+09 need 37.3 GiB with adamw beside sgd, and 18.6 GiB are free for it on "
    )
    assert str(told.value).endswith("accepted: up to about 5e+08")


@pytest.mark.parametrize("optimizers", [["sgd"], ["lbfgs"], []], ids=["sgd", "none-alone", "one-that-cannot-be-built"])
def test_refuses_what_sgd_would_not_fit_into(monkeypatch, plugin, optimizers):
    """Sgd is timed beside whatever is asked."""
    monkeypatch.setattr(devices, "memory_limit_bytes", lambda device: 11_999)
    broken = plugin("def make(learning_rate):\n    raise ValueError('boom')\n")
    with pytest.raises(RequestError, match="with sgd, and"):
        measure(optimizers=optimizers or [broken], parameters=[1000])


def test_a_user_s_update_is_timed_with_what_it_declares(plugin):
    """Its wrapper, and the loss that it scales its step by; what evaluates the loss again can't be timed alone."""
    code = """
    import optax

    def make(learning_rate):
        return optax.MultiSteps(optax.sgd(learning_rate), 2)

    def polyak(learning_rate):
        return optax.polyak_sgd(learning_rate)

    def searching(learning_rate):
        return optax.lbfgs(learning_rate)
    """
    spec = plugin(code)
    specs = [spec, spec.replace(":make", ":polyak"), spec.replace(":make", ":searching")]
    table = update_throughput(optimizers=specs, parameters=[100], shape="flat", repeats=6, min_seconds=1e-3)
    timed = {row["optimizer"] for row in table.to_records() if row["update_seconds"] is not None}
    assert timed == {*specs[:2]}
    assert any("value_fn" in note for note in table.notes)
