"""Words that name entries."""

import pytest

from optbench.errors import StoreError
from optbench.history.refs import find_entries


@pytest.fixture
def history(keep, quality):
    """Keep four entries: of two commits, two versions and a label."""
    older = {"versions": {"optbench": "0.1.0", "optax": "0.2.7"}}
    return keep(
        (older | {"commit": "aaaa1111"}, [quality([1.0])]),
        (older | {"commit": "aaaa2222-dirty"}, [quality([2.0])]),
        ({"commit": "bbbb3333", "label": "v1"}, [quality([3.0])]),
        ({"commit": "bbbb3333", "label": "v1"}, [quality([4.0])]),
    )


@pytest.mark.parametrize(
    ("ref", "places"),
    [
        ("latest", [3]),
        ("latest~1", [2]),
        ("latest~3", [0]),
        ("v1", [2, 3]),
        ("bbbb", [2, 3]),
        ("aaaa2222", [1]),
        ("aaaa", [0, 1]),
        ("optax==0.2.7", [0, 1]),
        ("optbench==0.1.0", [0, 1, 2, 3]),
    ],
)
def test_words_name_entries(history, ref, places):
    assert find_entries(history, ref) == [history.entries[place] for place in places]


def test_an_id_names_its_entry(history):
    for entry in history.entries:
        assert find_entries(history, entry.id[:8]) == [entry]


@pytest.mark.parametrize("ref", ["nosuch", "latest~4", "optax==9", "aaa", "", "latest~-1", "=="])
def test_unknown_words_are_refused(history, ref):
    with pytest.raises(StoreError, match="accepted: latest, latest~N"):
        find_entries(history, ref)


@pytest.mark.parametrize(("ref", "near"), [("optax==0.2.77", "optax==0.2.7"), ("aaaa9999", "aaaa1111"), ("v2", "v1")])
def test_the_nearest_is_named(history, ref, near):
    with pytest.raises(StoreError, match=f"did you mean '{near}'"):
        find_entries(history, ref)
