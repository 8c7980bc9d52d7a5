"""A browser for the session, where there is one."""

import importlib.util
from pathlib import Path

import pytest

# Tests are imported one by one: what stands beside them is loaded from its file.
_spec = importlib.util.spec_from_file_location("chromium", Path(__file__).with_name("chromium.py"))
assert _spec is not None and _spec.loader is not None
chromium = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(chromium)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Start Chromium with a new profile; skip where it isn't installed."""
    if chromium.find() is None:
        pytest.skip("no chromium here; on Debian: apt-get install --no-install-recommends chromium")
    started = chromium.Chromium(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()
