"""Examples in docstrings are true, and the README's commands are those that CI runs."""

import doctest
import importlib.util
import pkgutil
import re
import tomllib
from pathlib import Path

import pytest

import bayeskit

ROOT = Path(__file__).parent.parent
MODULES = [module.name for module in pkgutil.walk_packages(bayeskit.__path__, "bayeskit.")]
WITH_EXAMPLES = [name for name in MODULES if ">>>" in Path(importlib.util.find_spec(name).origin).read_text("utf-8")]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_hold(name):
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert failed == 0
    assert tried > 0


def test_readme_has_exactly_two_commands_that_set_everything_up():
    commands = re.findall(r"^python3 -m venv .venv && .*$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert len(commands) == 2
    assert commands[0].endswith("bayeskit demo")
    assert commands[1].endswith("-m pytest -n 2")


def test_top_level_is_as_fixed():
    allowed = {"bayeskit", "stan", "data", "reports", "tests", "pyproject.toml", "README.md", "LICENSE"}
    tracked = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert tracked - {"build", "dist"} <= allowed


def test_version_is_said_once_the_same():
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert tomllib.load(file)["project"]["version"] == bayeskit.__version__


def test_public_names_exist():
    assert all(getattr(bayeskit, name) is not None for name in bayeskit.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = bayeskit.nonsense
