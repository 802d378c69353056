"""Shared fixtures: where the real files lie."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples on every machine, so that green here is green there; HYPOTHESIS_PROFILE=search looks for new ones.
settings.register_profile("steady", derandomize=True)
settings.register_profile("search", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What stands on a whole tiny run (the folder `shared`) is slow: plain `make` does without such runs."""
    for item in items:
        if "shared" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """`real_data("folder/file")` -> Path under FROSTLINE_DATA (default ../shared/data), or a skip."""
    root = Path(os.environ.get("FROSTLINE_DATA", REPOSITORY.parent / "shared" / "data"))

    def find(name: str) -> Path:
        path = root / name
        if not path.exists():
            pytest.skip(f"real file {path} is absent; set FROSTLINE_DATA to the folder that holds {name!r}")
        return path

    return find
