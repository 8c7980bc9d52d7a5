"""The ways of optimizers over a plane: every step is where a plain loop goes, at the best of the learning rates."""

import numpy as np
import pytest

from optbench import plot_path
from optbench.errors import RequestError
from optbench.planning.jobs import pick_device, plan_jobs, resolve_suite
from optbench.present.charts.style import OWN
from optbench.runner.paths import landscape_of

pytest.importorskip("vl_convert")

BOWL = "quadratic[dim=2,condition=2]"


@pytest.fixture(scope="module")
def landscape():
    """Sgd on a quadratic of two parameters: at 1e-4 it hardly moves, at 1e6 it diverges."""
    words = {"steps": 4, "seeds": 1, "report_seeds": 0, "record_every": 1}
    asked = resolve_suite(None, problems=[BOWL], optimizers=["sgd"], learning_rate="1e-4,0.5,1e6", **words)
    device = pick_device(None)
    return landscape_of(plan_jobs(asked, device.device_kind), device)


def test_a_way_is_at_the_best_rate_and_has_the_start_and_every_step(landscape):
    (way,) = landscape.ways
    assert way.learning_rate == 0.5 and way.points.shape == (5, 2)


def test_each_step_of_sgd_shrinks_each_axis_of_a_quadratic_by_its_curvature(landscape):
    (way,) = landscape.ways
    # Of eigenvalues l, a step multiplies what is left by 1 - l / 2: all steps by the same two numbers.
    left = way.points - landscape.minimiser
    step = np.linalg.lstsq(left[:-1], left[1:], rcond=None)[0]
    assert left[1:] == pytest.approx(left[:-1] @ step, rel=1e-4, abs=1e-6)
    assert np.all(np.abs(np.linalg.eigvals(step)) < 1) and np.all(np.diff(way.losses) < 0)


def test_the_box_holds_start_and_minimum_and_its_losses_are_those_of_the_problem(landscape):
    (way,) = landscape.ways
    for point in (way.points[0], landscape.minimiser):
        assert all(low < value < high for value, (low, high) in zip(point, landscape.box, strict=True))
    rows, columns = landscape.losses.shape
    nearest = [
        round((way.points[0][axis] - low) / (high - low) * (count - 1))
        for axis, ((low, high), count) in enumerate(zip(landscape.box, (columns, rows), strict=True))
    ]
    assert landscape.losses[nearest[1], nearest[0]] == pytest.approx(way.losses[0], rel=0.1)


def test_a_problem_of_more_parameters_is_refused(tmp_path):
    with pytest.raises(RequestError, match=r"path: quadratic\[dim=3\] has 3 parameters; accepted: two; test_function"):
        plot_path("quadratic[dim=3]", tmp_path / "x.svg", ["sgd"], steps=2)


def test_the_command_draws_a_users_own_beside_others(tmp_path, monkeypatch, capsys, plugin):
    from optbench.cli import main

    mine = plugin("import optax\ndef make(learning_rate): return optax.sgd(learning_rate)")
    monkeypatch.chdir(tmp_path)
    words = ["-p", BOWL, "-o", "sgd", "-o", f"Mine={mine}", "--steps", "3", "--learning-rate", "0.5"]
    assert main(["plot", "path", *words, "--output", "x.svg"]) == 0
    caption, svg = capsys.readouterr().out, (tmp_path / "x.svg").read_text()
    assert "in 3 steps, at the learning rate in brackets" in caption
    assert all(text in svg for text in ("Mine (0.5)", "sgd (0.5)", "minimum", "start"))
    # Whatever his is shown as, it is the first of the legend and has the strongest colour.
    assert svg.rindex("Mine (0.5)") < svg.rindex("sgd (0.5)") and OWN.colour in svg


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("path --output x.svg", 'path needs one problem of two parameters, as in -p "test_function[name=beale]"'),
        ("latest path --output x.svg", "path is of no run: it trains what it shows"),
        ("path --metric gap --output x.svg", "metric: not accepted for path"),
        ("curves --steps 3 --output x.svg", "steps: not accepted for curves; accepted for path"),
        ("path --output x.svg -p nosuch", "unknown problem 'nosuch'"),
    ],
)
def test_mistakes_are_one_line(tmp_path, monkeypatch, capsys, words, message):
    from optbench.cli import main

    monkeypatch.chdir(tmp_path)
    assert main(["plot", *words.split()]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
