"""Assemble a CmdStan home from the httpstan wheel and our runner."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from bayeskit.core.building import build_once, first_error, keep_log, require_make_can_read, run_logged
from bayeskit.core.errors import ToolchainError
from bayeskit.core.paths import cache_folder
from bayeskit.toolchain.homes import TOOLS_KIND, StanHome, fault, makefile_version, refresh_tools, write_tools
from bayeskit.toolchain.progress import Reporter, reporting
from bayeskit.toolchain.tools import Compiler, find_compiler, jobs, make_environment, require_tools
from bayeskit.toolchain.wheel import Ingredients

_COMPILING = "--- Compiling "


def homes_folder() -> Path:
    """Return the folder of all assembled homes."""
    return cache_folder() / "stan"


def assembled(ingredients: Ingredients) -> StanHome | None:
    """Return the home that is assembled already, or None.

    Without a compiler on the machine any compiler's home will do: programs that were compiled still run.
    """
    usable = [path for path in homes_folder().glob(_name(ingredients, find_compiler())) if fault(path) is None]
    if not usable:
        return None
    refresh_tools(max(usable))
    return StanHome(max(usable), ingredients.stan_version, "assembled")


def assemble(ingredients: Ingredients) -> StanHome:
    """Return the assembled home, built first if need be.

    Raises
    ------
    ToolchainError
        If a tool is missing, the folder's name or the disk do not serve, or the runner does not compile.
    """
    home = assembled(ingredients)
    if home:
        return home
    require_make_can_read(homes_folder())
    compiler, make = require_tools()
    final = homes_folder() / _name(ingredients, compiler)
    started = time.monotonic()
    with reporting() as report:

        def build(partial: Path) -> Path:
            report.stage(f"Stan {ingredients.stan_version}: copying headers")
            _copy(ingredients, partial, compiler)
            _compile_runner(partial, final, make, report)
            return partial

        built = build_once(
            final,
            build,
            ready=lambda: fault(final) is None,
            waiting=lambda: report.stage(
                f"Stan {ingredients.stan_version}: waiting for another process that is building it"
            ),
        )
        if built:
            report.say(
                f"Stan {ingredients.stan_version}: built in {time.monotonic() - started:.0f} s, once; it is in {final}"
            )
    return StanHome(final, ingredients.stan_version, "assembled")


def _name(ingredients: Ingredients, compiler: Compiler | None) -> str:
    """Name a home's folder, or give the pattern for any compiler's."""
    return f"{ingredients.key(compiler)}-{TOOLS_KIND}"


def _copy(ingredients: Ingredients, home: Path, compiler: Compiler) -> None:
    wheel = ingredients.wheel
    # pybind11 lies beside Stan's headers only for httpstan's own extension module.
    _copy_tree(wheel / "include", home / "include", link_or_copy, leave_out="pybind11")
    # What is executed or loaded, and is small, is copied: stanc's mode changes here, and a tool that rewrites
    # libraries in site-packages in place would reach through a link.
    _copy_tree(wheel / "lib", home / "lib", shutil.copyfile)
    (home / "bin").mkdir()
    shutil.copyfile(wheel / "stanc", home / "bin" / "stanc")
    (home / "bin" / "stanc").chmod(0o755)
    write_tools(home)
    (home / "runner").mkdir()
    for name, text in ingredients.runner.items():
        (home / ("." if name == "makefile" else "runner") / name).write_text(text, encoding="utf-8")
    # Programs must be compiled by what compiled the runner, whoever calls make here later.
    (home / "make").mkdir()
    (home / "make" / "local").write_text(f"CXX := {compiler.command}\n", encoding="utf-8")


def _copy_tree(source: Path, target: Path, copy: Callable[[str, str], object], leave_out: str = "") -> None:
    """Copy as `shutil.copytree` does, but stop at the first failure: on a full disk it would go on 17,000 times."""
    for place, folders, names in os.walk(source):
        folder = target / os.path.relpath(place, source)
        folder.mkdir()
        if Path(place) == source:
            folders[:] = [name for name in folders if name != leave_out]
        for name in names:
            copy(f"{place}/{name}", f"{folder}/{name}")


def link_or_copy(source: str, target: str) -> None:
    """Hard-link a header, or copy it where that is impossible.

    Links spare 180 MB. They are safe here because headers are only read, and pip and uv replace files by unlinking
    and writing new ones, so an upgrade or an uninstallation leaves the home's content alone. Another file system,
    or a wheel that belongs to another user, refuses links.
    """
    try:
        os.link(source, target, follow_symlinks=True)
    except OSError:
        shutil.copyfile(source, target)


def _compile_runner(partial: Path, final: Path, make: str, report: Reporter) -> None:
    version = makefile_version(partial / "makefile")
    environment = make_environment()
    log = partial / "build.log"
    plan = subprocess.run(
        [make, "-n", "build"], cwd=partial, env=environment, capture_output=True, text=True, check=False
    )
    total = plan.stdout.count(_COMPILING)

    def tick() -> None:
        begun = log.read_text(encoding="utf-8", errors="replace").count(_COMPILING)
        count = f", file {min(begun, total)} of {total}" if begun and total else ""
        report.stage(f"Stan {version}: compiling the runner{count} (a minute or two, once)")

    status = run_logged([make, f"-j{jobs()}", "build"], cwd=partial, env=environment, log=log, tick=tick)
    if status != 0:
        reason = first_error(log)
        kept = keep_log(log, final)
        raise ToolchainError(f"Stan's runner does not compile: {reason} (the whole log: {kept})")
