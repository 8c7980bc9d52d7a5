"""A device with little memory: a cell is split, and its numbers are the same."""

#: As if the device had so little that no program fits: every part holds one point.
LITTLE = "import bench.train; bench.train.memory_limit_bytes = lambda *devices: 1"


def test_cells_that_do_not_fit_into_memory_are_split(optbench, two, whole, kept, tmp_path):
    said = optbench(*two, "--name", "split", before=LITTLE)
    assert said.returncode == 0
    assert said.stderr.count("points split into 2 parts of 1 to fit into memory") == 2
    assert kept(tmp_path / "results" / "split") == whole(two)
