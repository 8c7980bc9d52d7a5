"""A name before `=` is what an optimizer or a problem is shown as."""

import pytest

from optbench.request import OptimizerInfo, RequestError, Spec, expand, labelled, load_suite, parse_spec, parse_suite

OPTIMIZERS = {
    "adamw": OptimizerInfo((1e-4, 0.3), {"b1": 0.9, "nesterov": False}),
    "sgd": OptimizerInfo((1e-2, 10.0), {}),
    "./mine.py:make": OptimizerInfo((1e-4, 1.0), {"momentum": 0.9}, has_own_range=False),
}
PROBLEMS = {"quadratic": {"dim": 10}}


def cells(optimizers, problems=("quadratic",)):
    suite = parse_suite({"problems": list(problems), "optimizers": list(optimizers), "learning_rate": "0.1"})
    return expand(suite, PROBLEMS, OPTIMIZERS)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("Cautious=./mine.py:make", Spec("./mine.py:make", {}, "Cautious")),
        (" Adam (b1 0.8) = adamw[b1=0.8]", Spec("adamw", {"b1": (0.8,)}, "Adam (b1 0.8)")),
        ("adamw[b1=0.8]", Spec("adamw", {"b1": (0.8,)})),
    ],
)
def test_a_spec_may_begin_with_a_name(text, spec):
    assert parse_spec(text) == spec


@pytest.mark.parametrize("text", ["=adamw", "a,b=adamw", "a*=adamw", "./a=adamw", "A=B=adamw", 'a"b"=adamw'])
def test_a_name_that_no_table_could_hold_is_refused(text):
    with pytest.raises(RequestError):
        parse_spec(text)


def test_a_name_stands_for_one_cell_and_shows_what_it_leaves_open():
    asked = ["Mine=./mine.py:make[momentum=0.8]", "Yours=./mine.py:make", "W=adamw[nesterov=true,false,b1=0.5]"]
    made = cells(asked, ["Small=quadratic[dim=2]", "quadratic[dim=3]", "Q=quadratic[dim=4,5]"])
    assert [cell.optimizer for cell in made[:4]] == ["Mine", "Yours", "W[nesterov=true]", "W[nesterov=false]"]
    assert list(dict.fromkeys(cell.problem for cell in made)) == ["Small", "quadratic[dim=3]", "Q[dim=4]", "Q[dim=5]"]
    assert [cell.optimizer_name for cell in made[:4]] == ["./mine.py:make"] * 2 + ["adamw"] * 2
    # Under two names they are two grids.
    assert [[point.get("momentum") for point in cell.points] for cell in made[:2]] == [[0.8], [None]]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["adamw=./mine.py:make"], "adamw=./mine.py:make: adamw is the name of another optimizer"),
        (["A=./mine.py:make", "A=sgd"], "A is given to two optimizers: ./mine.py:make and sgd"),
        (["A=*"], "A=*: A would be shown for 2 optimizers; accepted: one"),
    ],
)
def test_a_name_of_two_things_is_refused(asked, message):
    with pytest.raises(RequestError) as error:
        cells(asked)
    assert message in str(error.value)


def test_what_a_name_stands_for_is_read_off_the_request():
    specs = ["sgd", "Mine=./mine.py:make[momentum=0.8]"]
    assert labelled("Mine", specs) == (specs[1], parse_spec(specs[1]))
    assert labelled("Mine[momentum=0.8]", specs) == (specs[1], parse_spec(specs[1]))
    assert labelled("sgd", specs) is None


def test_a_named_file_beside_a_suite_keeps_its_name(tmp_path, monkeypatch):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "mine.py").write_text("")
    (tmp_path / "study" / "suite.toml").write_text("problems = ['quadratic']\noptimizers = ['Mine=./mine.py:make']")
    monkeypatch.chdir(tmp_path)
    assert load_suite("study/suite.toml").optimizers[0].spec == "Mine=./study/mine.py:make"
