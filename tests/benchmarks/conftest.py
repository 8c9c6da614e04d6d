"""Benchmarks print what they measured, with the machine that they ran on; they assert nothing about time."""

import pytest

from bayeskit.core.provenance import hardware, versions


@pytest.fixture
def tell(capsys):
    """Print a line of results past pytest's capture."""

    def tell(line):
        with capsys.disabled():
            print(f"\n  {line}", end="")

    return tell


def pytest_report_header():
    machine = hardware()
    packages = {name: version for name, version in versions().items() if name in ("python", "cmdstanpy", "httpstan")}
    return f"machine: {machine['processor']}, {machine['cores']} cores, {machine['memory']}; {packages}"
