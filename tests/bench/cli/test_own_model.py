"""What `optbench new` writes for a model, and what docs/own_model.md says, runs as it stands."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "own_model.md"
SHORT = ("--steps", "4", "--seeds", "1", "--report-seeds", "1", "--learning-rate", "0.01", "--no-throughput")

RECOMMENDED = ("--minutes", "5", "-o", "adamw", "--steps", "4", "--batch-size", "64")


@pytest.mark.parametrize("model", ["flax", "linen", "functions"])
def test_a_template_of_a_model_is_short_and_runs(optbench, tmp_path, model):
    said = optbench("new", "problem", "mine", "--model", model)
    assert said.code == 0 and "optbench run -p ./mine.py:make -o adamw -o sgd" in said.out
    lines = [line for line in (tmp_path / "mine.py").read_text().splitlines() if line.strip()]
    assert len(lines) <= 16 and "supervised(" in lines[-1]
    said = optbench("run", "-p", "./mine.py:make", "-o", "adamw", *SHORT)
    assert said.code == 0
    assert "./mine.py:make" in said.out and "failed" not in said.err


def test_the_page_on_a_model_of_one_s_own_runs_as_it_stands(optbench, tmp_path):
    text = PAGE.read_text()
    (tmp_path / "my_model.py").write_text(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1])
    commands = re.findall(r"^optbench (\w+)(.*)$", text, re.MULTILINE)
    assert [command for command, _ in commands] == ["run", "plan", "run", "compare", "recommend"]
    brief = {"run": SHORT, "plan": SHORT[:-1], "recommend": RECOMMENDED}
    for command, words in commands:
        # A few steps in place of all.
        asked = re.sub(r" --\S+ \S+", "", words).split()
        said = optbench(command, *asked, *brief.get(command, ()))
        assert said.code == 0, said.err
