"""What the tests of more than one room share."""

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Benchmarks run when they are asked for by name: they take minutes, and need the bench extra."""
    asked = any("benchmarks" in argument for argument in config.args)
    return True if collection_path.name == "benchmarks" and not asked else None


@pytest.fixture(scope="session")
def stan_home() -> Path:
    """A working CmdStan: the one in use, or one that is assembled first, which takes a minute or two."""
    from bayeskit.toolchain import ensure_home

    return ensure_home().path
