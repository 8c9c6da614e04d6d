"""What a home is assembled from: the folder of the httpstan wheel, and bayeskit's own runner."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bayeskit.core.errors import ToolchainError
from bayeskit.core.paths import resource
from bayeskit.toolchain.homes import version_in
from bayeskit.toolchain.tools import Compiler

_REINSTALL = "reinstall it with `pip install --force-reinstall --no-deps httpstan==4.13.0`"


@dataclass(frozen=True)
class Ingredients:
    """The parts of a home.

    Parameters
    ----------
    wheel
        The folder ``httpstan`` in site-packages.
    wheel_version
        httpstan's version.
    runner
        Name to text of the files in ``stan/runner``: the makefile and the C++ sources.
    """

    wheel: Path
    wheel_version: str
    runner: Mapping[str, str]

    @property
    def stan_version(self) -> str:
        """Stan's version, as the makefile has it."""
        return version_in(self.runner["makefile"]) or "unknown"

    def key(self, compiler: Compiler | None) -> str:
        """Name the home's folder: Stan's version, a hash of the parts, a hash of the compiler, or a pattern for any."""
        parts = digest("home", self.wheel_version, self.stan_version, dict(self.runner))
        return f"{self.stan_version}-{parts[:12]}-{digest(compiler.identity)[:6] if compiler else '?' * 6}"


def find_ingredients() -> Ingredients:
    """Find the wheel without importing it, which would start its web server's whole stack.

    Raises
    ------
    ToolchainError
        If httpstan is missing, damaged, or carries another Stan than the runner is written for.
    """
    spec = importlib.util.find_spec("httpstan")
    if spec is None or not spec.submodule_search_locations:
        raise ToolchainError(
            "the package httpstan, which Stan is assembled from, is not installed: `pip install httpstan==4.13.0`"
        )
    wheel = Path(spec.submodule_search_locations[0])
    return gather(wheel, importlib.metadata.version("httpstan"), resource("stan", "runner"))


def gather(wheel: Path, wheel_version: str, runner: Path) -> Ingredients:
    """Read the runner's files, once, so that a home holds what its key says; check that the wheel fits them."""
    sources = [runner / "makefile", *runner.glob("*.cpp"), *runner.glob("*.hpp")]
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(sources)}
    ingredients = Ingredients(wheel, wheel_version, texts)
    _check(ingredients)
    return ingredients


def _check(ingredients: Ingredients) -> None:
    wheel = ingredients.wheel
    for part in ("stanc", "include/stan/version.hpp", "lib"):
        if not (wheel / part).exists():
            raise ToolchainError(f"the installed httpstan lacks {part} ({wheel}); {_REINSTALL}")
    text = (wheel / "include/stan/version.hpp").read_text(encoding="utf-8")
    found = ".".join(re.findall(r"^#define STAN_(?:MAJOR|MINOR|PATCH) (\d+)", text, flags=re.MULTILINE))
    if found != ingredients.stan_version:
        raise ToolchainError(
            f"httpstan {ingredients.wheel_version} carries Stan {found or 'unknown'}, "
            f"but bayeskit needs {ingredients.stan_version}; {_REINSTALL}"
        )


def digest(*parts: object) -> str:
    """Hash plain data; no two different inputs run together."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
