import dataclasses

import pytest

from optbench.request import OptimizerInfo, RequestError, expand, parse_spec, parse_suite
from optbench.request.cells import Cell, canonical_text, points_digest
from optbench.request.grid import points, unique

PROBLEMS = {
    "quadratic": {"dim": 100, "condition": 1e3, "rotated": True, "spectrum": "log"},
    "linear_regression": {"data": "diabetes", "l2": 0.0},
    "logistic_regression": {"data": "iris", "l2": 0.0},
}
OPTIMIZERS = {
    "sgd": OptimizerInfo((1e-3, 1e1), {"momentum": None, "nesterov": False}),
    "adam": OptimizerInfo((1e-4, 1e-1), {"b1": 0.9, "b2": 0.999, "nesterov": False}),
    "adamw": OptimizerInfo((1e-4, 1e-1), {"b1": 0.9, "b2": 0.999}),
    "lbfgs": OptimizerInfo((1.0, 1.0), {"memory_size": 10, "name": "x"}),
    "./my_opt.py:make": OptimizerInfo((1e-2, 1.0), {"gain": 1.0}, open=True),
}


def cells(problems="quadratic", optimizers="adam", known=OPTIMIZERS, **given) -> tuple[Cell, ...]:
    return expand(parse_suite({"problems": problems, "optimizers": optimizers, **given}), PROBLEMS, known)


def column(cell, name):
    return [point[name] for point in cell.points]


def test_one_cell_holds_the_whole_grid():
    (cell,) = cells(
        "quadratic[dim=1e1,condition=100]",
        "adam[b1=0.8,0.9]",
        learning_rate="default:4",
        weight_decay="0,0.1",
        schedule="constant,cosine",
        batch_size=32,
    )
    assert cell.problem == "quadratic[condition=1e2,dim=10]"
    assert cell.problem_parameters == {"condition": 100.0, "dim": 10}
    assert (cell.optimizer, cell.optimizer_static, cell.batch_size) == ("adam", {}, 32)
    assert len(cell.points) == 4 * 2 * 2 * 2
    assert sorted(set(column(cell, "learning_rate"))) == [1e-4, 1e-3, 1e-2, 1e-1]
    assert cell.points[0] == {"learning_rate": 1e-4, "weight_decay": 0.0, "b1": 0.8, "schedule": "constant"}
    assert (cell.steps, cell.epochs, cell.records, cell.record_every) == (None, None, 50, None)


def test_order_is_problem_then_batch_size_then_optimizer():
    found = cells(["quadratic[dim=2,1]", "linear_regression"], ["lbfgs", "adam"], batch_size="64,8")
    assert [(cell.problem, cell.batch_size, cell.optimizer) for cell in found[:5]] == [
        ("quadratic[dim=2]", 64, "lbfgs"),
        ("quadratic[dim=2]", 64, "adam"),
        ("quadratic[dim=2]", 8, "lbfgs"),
        ("quadratic[dim=2]", 8, "adam"),
        ("quadratic[dim=1]", 64, "lbfgs"),
    ]
    assert len(found) == 12


def test_static_parameters_make_cells_of_their_own():
    found = cells(optimizers="lbfgs[memory_size=5:20:3]")
    assert [cell.optimizer for cell in found] == [f"lbfgs[memory_size={size}]" for size in (5, 10, 20)]
    assert found[0].optimizer_static == {"memory_size": 5}


def test_parameters_without_a_default_are_traced_where_they_hold_floats():
    (traced,) = cells(optimizers="sgd[momentum=0,0.9]")
    assert sorted(set(column(traced, "momentum"))) == [0.0, 0.9]
    (static,) = cells(optimizers="sgd[momentum=1]")
    assert static.optimizer == "sgd[momentum=1]"
    (plugin,) = cells(optimizers="./my_opt.py:make[gain=2,extra=3,kind=fast]")
    assert plugin.optimizer == "./my_opt.py:make[kind=fast]"
    assert (plugin.points[0]["gain"], plugin.points[0]["extra"]) == (2.0, 3.0)


def test_brackets_override_the_entry_and_the_entry_the_suite():
    found = cells(
        optimizers=["adam[learning_rate=0.5]", {"spec": "adamw", "learning_rate": "default:1", "weight_decay": 0.2}],
        learning_rate=1,
    )
    assert column(found[0], "learning_rate") == [0.5]
    assert column(found[1], "learning_rate") == [pytest.approx(10**-2.5)]
    assert column(found[1], "weight_decay") == [0.2]


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("default:1", [0]),
        ("default:2", [0, 1e-3]),
        ("default:4", [0, 1e-4, 1e-3, 1e-2]),
        ("default:3,default:2", [0, 1e-4, 1e-3, 1e-2]),
    ],
)
def test_a_default_range_of_weight_decay_takes_the_same_share_at_every_middle_rate(text, shares):
    """At the middle of their ranges, 0.1 and 10^-2.5, sgd and adam lose these shares of the parameters a step."""
    for cell, middle in zip(
        cells(optimizers=["sgd", "adam"], learning_rate=1, weight_decay=text), (0.1, 10**-2.5), strict=True
    ):
        assert column(cell, "weight_decay") == pytest.approx([share / middle for share in shares], rel=0.02)


def test_a_default_range_of_weight_decay_may_be_the_optimizers_own():
    known = {"adam": OPTIMIZERS["adam"]._replace(own_weight_decays=(0.2, 0.5))}
    (cell,) = cells(optimizers="adam[weight_decay=default:3]", learning_rate=1, known=known)
    assert column(cell, "weight_decay") == [0, 0.2, 0.5]


def test_a_second_learning_rate_is_traced_as_the_first_is():
    known = {"muon": OptimizerInfo((1e-3, 1e-1), {"adam_learning_rate": None})}
    (cell,) = cells(optimizers="muon[adam_learning_rate=1]", learning_rate=2, known=known)
    assert column(cell, "adam_learning_rate") == [1.0]
    assert cell.optimizer_static == {}


def test_an_optimizer_may_have_schedules_of_its_own():
    found = cells(optimizers=["adam", {"spec": "adamw", "schedule": "linear,cosine[warmup=0.1]"}], schedule="wsd")
    assert [set(column(cell, "schedule")) for cell in found] == [{"wsd"}, {"linear", "cosine[warmup=0.1]"}]


def test_problem_entries_override_the_suite():
    found = cells(["quadratic", {"spec": "linear_regression", "batch_size": "full", "steps": 7}], epochs=2.0)
    assert [(cell.batch_size, cell.steps, cell.epochs) for cell in found] == [(None, None, 2.0), ("full", 7, None)]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("adam*", ["adam", "adamw"]),
        ("*", ["sgd", "adam", "adamw", "lbfgs"]),
        ("*[b1=0.5]", ["adam", "adamw"]),
        ("*[nesterov=true]", ["sgd[nesterov=true]", "adam[nesterov=true]"]),
        ("*:make", ["./my_opt.py:make"]),
        ("?gd", ["sgd"]),
    ],
)
def test_patterns(pattern, names):
    assert [cell.optimizer for cell in cells(optimizers=pattern)] == names


def test_repetition_is_a_union():
    assert len(cells(["quadratic", "quad*"], ["adam", "adam*"])) == 2
    (cell,) = cells(optimizers=["adam", "adam[b1=0.5]"], learning_rate="1,1.0")
    assert column(cell, "b1") == [0.5, 0.9]
    assert cells("quadratic[condition=1e4]") == cells(["quadratic[condition=10000]", "quadratic[condition=1e4]"])


def texts(cell):
    return canonical_text(cell, points_digest(cell.points))


def test_canonical_text_does_not_depend_on_typing_order():
    one = cells("quadratic[dim=5,condition=10]", "adam[b2=0.9,0.99,b1=0.5]", learning_rate="1,0.1", weight_decay="0")
    two = cells(
        "quadratic[condition=1e1,dim=5]", "adam[b1=0.5,b2=0.99,0.9]", learning_rate=["0.1", 1.0], weight_decay=-0.0
    )
    assert texts(one[0]) == texts(two[0])
    assert one == two


def turned(value):
    """Turn round the order of every mapping and of the points."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return tuple(turned(item) for item in reversed(value)) if isinstance(value, tuple) else value


def test_canonical_text_does_not_depend_on_the_order_of_fields_or_points():
    (cell,) = cells("quadratic[dim=5,condition=10]", "lbfgs[memory_size=5,name=x]", learning_rate="1,0.1")
    fields = {name: turned(value) for name, value in vars(cell).items()}
    again = Cell(**fields)
    assert [list(point) for point in again.points] != [list(point) for point in cell.points]
    assert list(again.problem_parameters) != list(cell.problem_parameters)
    assert list(again.optimizer_static) != list(cell.optimizer_static)
    assert texts(again) == texts(cell)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Cell)])
def test_every_field_of_a_cell_is_in_its_canonical_text(field):
    (cell,) = cells()
    other = ({"learning_rate": 0.123},) if field == "points" else "other"
    assert texts(dataclasses.replace(cell, **{field: other})) != texts(cell)


@pytest.mark.parametrize(
    ("problems", "optimizers", "message"),
    [
        ("quadratc", "adam", "unknown problem 'quadratc'; did you mean 'quadratic'?"),
        ("quadratic[dims=3]", "adam", "quadratic: unknown parameter 'dims'; did you mean 'dim'?"),
        ("quadratic[dim=1.5]", "adam", "quadratic: dim takes an integer, got 1.5"),
        ("quadratic[dim=1e300]", "adam", "dim takes an integer"),
        ("quadratic[dim=true]", "adam", "quadratic: dim takes an integer, got True"),
        ("quadratic[condition=x]", "adam", "condition takes a number, got 'x'"),
        ("quadratic[rotated=1]", "adam", "rotated takes true or false, got 1"),
        ("quadratic[spectrum=1]", "adam", "spectrum takes text, got 1"),
        ("quadratic[condition=default:3]", "adam", "only learning_rate and weight_decay do"),
        ("zzz*", "adam", "no problem matches 'zzz*'"),
        ("quadratic", "adm", "unknown optimizer 'adm'; did you mean 'adam'?"),
        ("quadratic", "adm*", "no optimizer matches 'adm*'; did you mean 'adam'?"),
        ("quadratic", "adam[bb1=0.5]", "adam: unknown parameter 'bb1'; did you mean 'b1'?"),
        ("quadratic", "adam*[bb1=0.5]", "no optimizer that matches 'adam*' has parameter 'bb1'; did you mean 'b1'?"),
        ("quadratic", "*[b1=0.5,memory_size=3]", "has all of b1, memory_size"),
        ("quadratic", "adam[b1=x]", "adam: b1 takes a number, got 'x'"),
        ("quadratic", "adam[learning_rate=-1]", "learning_rate: -1 is not accepted"),
        ("quadratic", "adam[b1=1:2:10000,b2=1:2:10000]", "the grid has"),
        ("quadratic", "./other.py:make", "unknown optimizer './other.py:make'"),
    ],
)
def test_mistakes_are_one_line(problems, optimizers, message):
    with pytest.raises(RequestError) as caught:
        cells(problems, optimizers)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_all_unknown_names_are_told_at_once():
    with pytest.raises(RequestError, match=r"quadratc.*adm.*lbfg"):
        cells(["quadratc", "quadratic"], ["adm", "lbfg", "adm"])


def test_labels_parse_back():
    for cell in cells("quadratic[dim=3,spectrum=log,linear]", ["lbfgs[memory_size=5]", "./my_opt.py:make[kind=a]"]):
        spec = parse_spec(cell.problem)
        assert {key: value[0] for key, value in spec.parameters.items()} == cell.problem_parameters
        assert parse_spec(cell.optimizer).name == cell.optimizer_name


def test_points_are_a_stable_product_without_duplicates():
    assert points({"a": [1, 1.0, 2], "b": ["x"]}) == ({"a": 1.0, "b": "x"}, {"a": 2.0, "b": "x"})
    assert points({}) == ({},)
    assert unique([True, 1, 0, False, 1]) == (True, 1, 0, False)


def test_an_optimizer_may_have_batch_sizes_of_its_own():
    problems = [{"spec": "logistic_regression", "batch_size": "16,32"}]
    entries = [
        {"spec": "adam", "learning_rate": 0.1, "batch_size": 16},
        {"spec": "adam", "learning_rate": 0.2, "batch_size": 32},
        "sgd",
    ]
    found = [(cell.optimizer, cell.batch_size, cell.points[0]["learning_rate"]) for cell in cells(problems, entries)]
    assert [each for each in found if each[0] == "adam"] == [("adam", 16, 0.1), ("adam", 32, 0.2)]
    assert [size for name, size, _ in found if name == "sgd"] == [16, 32]
    with pytest.raises(RequestError, match="adam: batch_size 64 is not accepted; accepted: those of the problems"):
        cells(problems, [{"spec": "adam", "batch_size": 64}])
