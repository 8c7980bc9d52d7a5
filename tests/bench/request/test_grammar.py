import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from optbench.errors import RequestError, nearest
from optbench.request.grammar import DefaultRange, Spec, format_spec, format_value, geometric, parse_spec, parse_values
from optbench.request.schedule import Schedule, parse_schedule, parse_schedules


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0,1e-4:1e-1:4", (0, 1e-4, 1e-3, 1e-2, 1e-1)),
        ("1e-1:1e-3:3", (0.1, 0.01, 0.001)),
        ("2:8:1", (2.0,)),
        ("2:8:2", (2.0, 8.0)),
        ("1e-300:1e300:3", (1e-300, 1.0, 1e300)),
        ("true,False,relu", (True, False, "relu")),
        (" -3 , .5 , 1. ", (-3, 0.5, 1.0)),
        ('"a,b=[c]:d","1","\\"\\\\"', ("a,b=[c]:d", "1", '"\\')),
        (r'"C:\data"', (r"C:\data",)),
        ("../x-1.csv", ("../x-1.csv",)),
        ("default:8", (DefaultRange(8),)),
    ],
)
def test_values(text, values):
    parsed = parse_values(text)
    assert parsed == values
    assert list(map(type, parsed)) == list(map(type, values))


BAD_VALUES = {
    "empty": ["", ",", "1,,2"],
    "range": ["1e-3:x:4", "1:2", "1:2:3:4", "0:1:3", "-1:1:3", "1:2:0", "1:2:-1", "1:2:1.5", "1:2:10001", "C:/x"],
    "default": ["default:0", "default:x", "default:"],
    "not finite": ["nan", "-inf", "Infinity", "1e999", "1:1e999:3", "9" * 30, "9" * 5000],
    "quotes": ['"open', 'a"b"', '"a"b', "a=b", "[", "]"],
    "not printable": ["a\nb", "a\tb", "a\u2028b", "\x00"],
}


@pytest.mark.parametrize(
    "text",
    [text for texts in BAD_VALUES.values() for text in texts],
    ids=lambda text: repr(text[:12]),
)
def test_bad_values_are_one_line(text):
    with pytest.raises(RequestError) as caught:
        parse_values(text)
    assert len(str(caught.value).splitlines()) == 1


def test_bad_range_says_what_was_given_and_what_is_accepted():
    with pytest.raises(RequestError, match="'1e-3:x:4' is not a range; accepted: start:stop:count"):
        parse_values("1e-3:x:4")


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("adam", Spec("adam", {})),
        (" adam* ", Spec("adam*", {})),
        (
            "adamw[b1=0.8:0.95:2,weight_decay=0,0.1]",
            Spec("adamw", {"b1": (0.8, 0.95), "weight_decay": (0, 0.1)}),
        ),
        ("quadratic[condition=1e4, dim = 1000]", Spec("quadratic", {"condition": (1e4,), "dim": (1000,)})),
        ('linear_regression[data="/a b,c/x.csv"]', Spec("linear_regression", {"data": ("/a b,c/x.csv",)})),
        ('x[data="a]b=,"]', Spec("x", {"data": ("a]b=,",)})),
        ("./my_opt.py:make[gain=2]", Spec("./my_opt.py:make", {"gain": (2,)})),
        ("package.module:make", Spec("package.module:make", {})),
    ],
)
def test_specs(text, spec):
    assert parse_spec(text) == spec


BAD_SPECS = {
    "name": ["", " ", "[a=1]", "a,b", 'a"', '"a"', "a\n[b=1]"],
    "brackets": ["a[", "a]", "a[b=1][c=2]", "a[b=[1]]", "a[b=1]c"],
    "keys": ["a[b]", "a[=1]", "a[b=1,b=2]", "a[1=2]", "a[b c=1]"],
    "values": ["a[]", "a[b=]", "a[b=1,]", 'a[b="]', "a[b=c=d]", "a[b==1]"],
}


@pytest.mark.parametrize(
    "text",
    [text for texts in BAD_SPECS.values() for text in texts],
    ids=repr,
)
def test_bad_specs_are_one_line(text):
    with pytest.raises(RequestError) as caught:
        parse_spec(text)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e4, "1e4"),
        (-1e-5, "-1e-5"),
        (0.001, "0.001"),
        (10.0, "10.0"),
        (0.0, "0.0"),
        (1.5e300, "1.5e300"),
        (3, "3"),
        (True, "true"),
        ("relu", "relu"),
        ("true", '"true"'),
        ("1", '"1"'),
        ("", '""'),
    ],
    ids=repr,
)
def test_format_value(value, text):
    assert format_value(value) == text


def test_format_spec_sorts_keys():
    assert format_spec("q", {"b": 1, "a": (0.5, "x y")}) == 'q[a=0.5,"x y",b=1]'


printable = st.text().filter(str.isprintable)
values = (
    st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | printable
    | st.sampled_from(["nan", "1:2:3", "a,b", "a=b", "[x]", '"', "\\", '\\"', "full", "1e4", " a "])
    | st.integers(1, 10_000).map(DefaultRange)
)
keys = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
parameters = st.dictionaries(keys, st.lists(values, min_size=1, max_size=4).map(tuple), max_size=4)


@settings(deadline=None)
@given(st.from_regex(r"[a-z./*?:_][a-z./*?:_0-9-]{0,20}", fullmatch=True), parameters)
def test_specs_survive_a_round_trip(name, parameters):
    text = format_spec(name, parameters)
    spec = parse_spec(text)
    assert spec == Spec(name, parameters)
    assert [list(map(type, spec.parameters[key])) for key in sorted(parameters)] == [
        list(map(type, parameters[key])) for key in sorted(parameters)
    ]
    assert format_spec(spec.name, spec.parameters) == text


@settings(deadline=None)
@given(st.text(alphabet='ab1.0e-:,="\\[]*? \n~', max_size=30) | st.text())
@example("1" * 5000)
@example("1e" + "9" * 5000)
def test_noise_gives_nothing_but_request_errors(text):
    message = ""
    for parse in (parse_values, parse_spec, parse_schedules):
        try:
            parse(text)
        except RequestError as error:
            message += str(error)
    assert len(message.splitlines()) <= 1


@settings(deadline=None)
@given(st.floats(1e-300, 1e300), st.floats(1e-300, 1e300), st.integers(1, 50))
def test_geometric_holds_its_ends(start, stop, count):
    found = geometric(start, stop, count)
    assert len(found) == count
    assert found[0] == start
    assert count == 1 or found[-1] == stop
    assert all(math.isfinite(value) and value > 0 for value in found)


def test_nearest_shortens_long_lists():
    names = [f"name_{number:02}" for number in range(40)]
    assert nearest("nmae_07", names).startswith("; did you mean 'name_07'? accepted: name_00, ")
    assert nearest("zzz", names).endswith("name_11, ... (40 in all)")
    assert nearest("ADAM", ["adam"]) == "; did you mean 'adam'? accepted: adam"


def test_schedules():
    assert parse_schedule("cosine[warmup=0.1]") == Schedule("cosine", 0.1)
    assert parse_schedules("constant,wsd[warmup=0,0.1],constant[warmup=0]") == ("constant", "wsd", "wsd[warmup=0.1]")


@pytest.mark.parametrize("text", ["cosin", "cosine[warmup=1]", "cosine[warmup=x]", "cosine[warm=0.1]", "cosine,"])
def test_bad_schedules(text):
    with pytest.raises(RequestError):
        parse_schedules(text)
