"""What the tests of more than one room share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def stan_home() -> Path:
    """A working CmdStan: the one in use, or one that is assembled first, which takes a minute or two."""
    from bayeskit.toolchain import ensure_home

    return ensure_home().path
