"""Two copies of one optimizer that differ in their own noise alone: tuned and compared, how often are they different?

`tests/benchmarks/verdicts.py` asks the same of a hundred whole runs.
"""

import numpy as np
import pytest

from optbench.analyse.comparison import MARGIN
from optbench.analyse.costs import costs_of
from optbench.analyse.outcomes import Slice
from optbench.analyse.significance import judge
from optbench.analyse.statistics import median

COPIES = """
import jax, optax
from optbench.optimizers.optimizer import Optimizer

def _copy(number):
    def build(learning_rate, seed):
        noise = optax.add_noise(1e-3, 0.55, jax.random.fold_in(jax.random.key(number), seed))
        return optax.chain(noise, optax.sgd(learning_rate))
    return Optimizer(build, (1e-2, 1.0), "gradient descent with noise of its own", needs=frozenset({"seed"}))

a, b = _copy(0), _copy(1)
"""
STUDIES, TOGETHER = 240, 10


@pytest.fixture
def copies(tiny, tmp_path):
    """Return the parts of both copies, tuned in many studies."""
    (tmp_path / "copies.py").write_text(COPIES)
    asked = {"optimizers": [f"{tmp_path}/copies.py:{name}" for name in "ab"], "learning_rate": "default:4", "steps": 20}
    return tiny("copies", problems=["quadratic[dim=5,noise=0.1]"], report_seeds=STUDIES, **asked).parts


def test_equal_optimizers_with_their_tuning_are_rarely_called_different(copies):
    costs = [costs_of(part, "gap", Slice(), None, None) for part in copies]
    assert len({*costs[0].cost.tolist(), *costs[1].cost.tolist()}) > STUDIES, "each has noise of its own"
    groups = [slice(first, first + TOGETHER) for first in range(0, STUDIES, TOGETHER)]
    verdicts = []
    for group in groups:
        a, b = (each.cost[group] for each in costs)
        verdicts += [judgement.verdict for judgement in judge([a - b], [MARGIN * median(b)])]
    called = sum(verdict in ("better", "worse") for verdict in verdicts)
    # 24 comparisons at 5 %: more than 4 would come up in 1 % of such tests.
    assert called <= 4, verdicts
    assert np.isfinite(costs[0].cost).all()
