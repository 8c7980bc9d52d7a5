"""Durations and counts as one types them."""

import pytest

from optbench.request import RequestError, check_repeats, parse_counts, parse_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("1", 1),
        ("0.5", 0.5),
        (".5s", 0.5),
        ("2.s", 2),
        ("200ms", 0.2),
        ("2min", 120),
        ("1e-3s", 1e-3),
        ("1e3ms", 1),
        (" 3 s ", 3),
        ("60min", 3600),
        ("3600s", 3600),
    ],
)
def test_seconds(text, seconds):
    assert parse_seconds(text, "min_time") == pytest.approx(seconds, rel=1e-15)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "s", "x", "0", "0s", "-1s", "+1s", "1h", "1 2", "1s2", "1,5s", "nan", "inf", "1e999", "1e-999"),
        *("3601s", "61min", "1S", "１s", "1s\n2"),
    ],
)
def test_no_duration(text):
    with pytest.raises(RequestError, match=r"^min_time: .* is not accepted; accepted: 200ms, 1s, 2min, up to an hour$"):
        parse_seconds(text, "min_time")


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("1", (1,)),
        ("1e6", (1_000_000,)),
        ("1e6,1e7", (1_000_000, 10_000_000)),
        ("100, 200", (100, 200)),
        ("1:100:3", (1, 10, 100)),
        ("1e6:1e8:3", (10**6, 10**7, 10**8)),
        # In the order given, each once.
        ("30,10,30,1e1", (30, 10)),
        ("2.0", (2,)),
        ("1e12", (10**12,)),
    ],
)
def test_counts(text, counts):
    found = parse_counts(text, "parameters")
    assert found == counts
    assert all(type(count) is int for count in found)


@pytest.mark.parametrize(
    "text", ["0", "-1", "1.5", "0.5", "1,0", "1e13", "1e300", "many", "true", "1,x", "default:3", "1:10:3"]
)
def test_no_counts(text):
    with pytest.raises(RequestError, match=r"^parameters: .*; accepted: whole numbers from 1 to 1e12, as in 1e6,1e7$"):
        parse_counts(text, "parameters")


@pytest.mark.parametrize("text", ["", "1,", "nan", "inf", "1:x:3", "1e999", "9" * 5000])
def test_no_values(text):
    """What is no list of values says so in the words of every other list."""
    with pytest.raises(RequestError, match=r"^parameters: .{,200}; as in 1e6,1e7$"):
        parse_counts(text, "parameters")


@pytest.mark.parametrize("repeats", [-1, 0, 1, 5])
def test_too_few_repeats(repeats):
    with pytest.raises(RequestError, match=f"^repeats: {repeats} is not accepted; accepted: 6 or more"):
        check_repeats(repeats)


@pytest.mark.parametrize("repeats", [6, 20])
def test_enough_repeats(repeats):
    assert check_repeats(repeats) is None
