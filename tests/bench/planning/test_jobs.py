"""What makes two cells the same: their keys, over everything that may differ."""

from pathlib import Path

import pytest

from optbench.planning.jobs import pick_device, plan_jobs, resolve_suite, run_name
from optbench.request import RequestError, load_suite

PLAIN = {"problems": ["quadratic[dim=3,condition=2]"], "optimizers": ["adam"], "learning_rate": "0.1,0.2", "steps": 4}
SYNTHETIC = "linear_regression[data=synthetic,rows=20,dim=2,test_fraction=0.2,validation_fraction=0.0]"


def jobs(**overrides):
    return plan_jobs(resolve_suite(None, **PLAIN | overrides), pick_device("cpu").device_kind)


def key(**overrides):
    (job,) = jobs(**overrides)
    return job.key


@pytest.mark.parametrize(
    "typed",
    [
        {"problems": ["quadratic[condition=2,dim=3]"]},
        {"problems": ["quadratic[dim=3,condition=2.0]"]},
        {"problems": ["quadratic[dim=3,condition=2]"] * 2},
        {"learning_rate": "0.2,0.1"},
        {"learning_rate": [0.2, 0.1, 0.1]},
        {"optimizers": ["adam[learning_rate=0.1,0.2]"]},
        {"optimizers": ["adam[learning_rate=0.1]", "adam[learning_rate=0.2]"]},
        {"optimizers": ["adam", "adam"]},
        {"weight_decay": 0},
        {"schedule": "constant"},
        {"batch_size": "full"},
        {"record_every": 1},
        {"seed": 0},
    ],
    ids=str,
)
def test_spelling_does_not_matter(typed):
    assert key(**typed) == key()


def test_a_range_is_shifted_from_study_to_study_and_a_list_is_not():
    assert key(learning_rate="0.1:0.2:2") != key(learning_rate="0.1,0.2")
    assert key(learning_rate="0.1:0.2:2", studies=1) == key(learning_rate="0.1,0.2", studies=1)


@pytest.mark.parametrize(
    "changed",
    [
        {"problems": ["quadratic[dim=4,condition=2]"]},
        {"problems": ["quadratic[dim=3,condition=2,seed=1]"]},
        {"optimizers": ["adamw"]},
        {"optimizers": ["adam[b1=0.8]"]},
        {"optimizers": ["adam[nesterov=true]"]},
        {"learning_rate": "0.1,0.3"},
        {"learning_rate": "0.1"},
        {"weight_decay": "0.1"},
        {"schedule": "cosine"},
        {"schedule": "constant,cosine"},
        {"schedule": "cosine[warmup=0.5]"},
        {"steps": 5},
        {"seeds": 3},
        {"report_seeds": 2},
        {"record_every": 2},
        {"dtype": "float64"},
        {"decay": "coupled"},
        {"seed": 1},
    ],
    ids=str,
)
def test_every_change_of_the_numbers_counts(changed):
    assert key(**changed) != key()


def test_batch_size_counts_where_there_is_data():
    keys = {key(problems=[SYNTHETIC], batch_size=size) for size in (4, 8, "full")}
    assert len(keys) == 3


def test_epochs_are_steps():
    """16 training rows in batches of 8 are two updates an epoch; 50 records of four steps are one a step."""
    given = {"problems": [SYNTHETIC], "batch_size": 8}
    (job,) = plan_jobs(
        resolve_suite(None, **PLAIN | given | {"steps": None, "epochs": 2}), pick_device("cpu").device_kind
    )
    assert (job.steps, job.record_every) == (4, 1)
    assert job.key == key(**given)


def test_trials_are_counted():
    (job,) = jobs(seeds=3, report_seeds=4, weight_decay="0,0.1")
    # 2 learning rates x 2 weight decays x 3 seeds in each of 4 studies, and what each chose by two criteria.
    assert job.num_trials == 4 * 12 + 4 * 2
    (job,) = jobs(seeds=3, report_seeds=4, weight_decay="0,0.1", studies=1, select_by="train_loss")
    assert job.num_trials == 12 + 4
    # Nothing to choose: one study's seeds are enough, and one criterion.
    (job,) = jobs(seeds=3, report_seeds=4, learning_rate="0.1")
    assert job.num_trials == 3 + 4


class TestFiles:
    """The content of every file that a number depends on is part of the key, however it is named."""

    @pytest.fixture
    def table(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", str(tmp_path))
        path = tmp_path / "table.csv"
        path.write_text("".join(f"{row},{row * row % 7},{row % 3}\n" for row in range(12)))
        return path

    @pytest.mark.parametrize("place", ["{folder}/table.csv", "./table.csv", "~/table.csv"])
    def test_changed_data_is_another_cell(self, table, place):
        given = {"problems": [f"linear_regression[data={place.format(folder=table.parent)}]"]}
        before = key(**given)
        assert key(**given) == before
        table.write_text(table.read_text().replace("11,", "12,"))
        assert key(**given) != before

    def test_changed_labels_beside_images_are_another_cell(self, tmp_path):
        images, labels = tmp_path / "my-images.idx", tmp_path / "my-labels.idx"
        images.write_bytes(bytes([0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 2]) + bytes(range(16)))
        labels.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 4, 0, 1, 0, 1]))
        given = {"problems": [f"logistic_regression[data={images},test_fraction=0,standardize=false]"]}
        before = key(**given)
        labels.write_bytes(labels.read_bytes()[:-1] + b"\0")
        assert key(**given) != before

    @pytest.mark.parametrize(
        "code",
        [
            "import optax\ndef make(learning_rate):\n    return optax.sgd(learning_rate, {})\n",
            "import optax\nfrom functools import partial\nmake = partial(optax.sgd, momentum={})\n",
            "import optax\nfrom functools import partial\nfrom optbench.optimizers.optimizer import Optimizer\n"
            "make = Optimizer(partial(optax.sgd, momentum={}), (0.1, 1.0), 'mine')\n",
        ],
        ids=["function", "partial", "entry"],
    )
    def test_changed_optimizer_is_another_cell(self, plugin, code):
        before = key(optimizers=[plugin(code.format(0.5))])
        assert key(optimizers=[plugin(code.format(0.5))]) == before
        assert key(optimizers=[plugin(code.format(0.9))]) != before

    @pytest.mark.parametrize(
        "code",
        [
            "from optbench.problems.convex.quadratic import quadratic\ndef make():\n    return quadratic({}, 2)\n",
            "from functools import partial\nfrom optbench.problems.convex.quadratic import quadratic\n"
            "make = partial(quadratic, {}, 2)\n",
        ],
        ids=["function", "partial"],
    )
    def test_changed_problem_is_another_cell(self, plugin, code):
        before = key(problems=[plugin(code.format(3))])
        assert key(problems=[plugin(code.format(3))]) == before
        assert key(problems=[plugin(code.format(4))]) != before

    def test_a_changed_comment_elsewhere_is_not(self, plugin):
        before = key()
        plugin("# nothing that a cell depends on\n", "other")
        assert key() == before


class TestAsked:
    @pytest.mark.parametrize("name", ["smoke", "quick", "leaderboard", "standard"])
    def test_packaged_suite_has_a_folder_of_its_name(self, name):
        assert run_name(name, resolve_suite(name)) == name

    def test_nothing_is_quick(self):
        assert run_name(None, resolve_suite(None)) == "quick"

    def test_changed_suite_has_another_name(self):
        names = {run_name("smoke", resolve_suite("smoke", **given)) for given in ({}, {"seed": 1}, {"steps": 9})}
        assert len(names) == 3
        assert all(name.startswith("smoke") for name in names)

    def test_where_only_an_optimizer_is_asked_the_problems_are_quick(self):
        assert resolve_suite(None, optimizers=["sgd"]).problems == load_suite("quick").problems

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"problems": [SYNTHETIC], "batch_size": 17}, "batch size 17 is larger than its 16 training rows"),
            ({"problems": ["quadratic[noise=0.1]"], "batch_size": "full"}, "a stream has no end"),
            ({"problems": ["quadratic[noise=0.1]"], "steps": None, "epochs": 2}, "a stream has no epochs"),
            ({"problems": ["quadratic[dim=0]"]}, "dim=0 is not accepted"),
            ({"dtype": "bfloat16"}, "accepted: float32, float64"),
            ({"problems": ["linear_regression[data=./nowhere.csv]"]}, "nowhere.csv: expected a file, found nothing"),
        ],
        ids=["batch", "full-stream", "epochs-of-a-stream", "parameter", "dtype", "data"],
    )
    def test_what_cannot_be_is_refused_before_any_work(self, given, said):
        with pytest.raises(RequestError, match=said) as caught:
            jobs(**given)
        assert "\n" not in str(caught.value)

    def test_names_and_numbers_are_refused_together(self, tmp_path):
        """A TOML's faults are named all at once, whether they are of its words or of the catalogues."""
        path = Path(tmp_path / "three.toml")
        path.write_text('problems = ["quadratc"]\noptimizers = ["sgd"]\nsteps = 0\nsede = 1\n')
        with pytest.raises(RequestError) as caught:
            plan_jobs(resolve_suite(str(path)), pick_device("cpu").device_kind)
        for fault in ("quadratc", "steps", "sede"):
            assert fault in str(caught.value)
