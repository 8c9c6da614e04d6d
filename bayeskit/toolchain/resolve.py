"""Which Stan to use: the one that is set, the one that is installed, the one that is assembled, or one to make."""

from __future__ import annotations

from typing import Literal, get_args

from bayeskit.core.errors import ConfigError, ToolchainError
from bayeskit.toolchain.assemble import assemble, assembled
from bayeskit.toolchain.homes import StanHome, from_environment, installed
from bayeskit.toolchain.wheel import find_ingredients

Source = Literal["auto", "official", "wheel"]


def find_home() -> StanHome | None:
    """Return the Stan in use, or None where one has to be built; builds nothing.

    The order is ``CMDSTAN``, the newest CmdStan in cmdstanpy's folders, the home that bayeskit assembled.

    Raises
    ------
    ToolchainError
        If ``CMDSTAN`` or ``CXX`` is set to something that does not work.
    """
    home = from_environment() or installed()
    if home:
        return home
    try:
        ingredients = find_ingredients()
    except ToolchainError:
        return None
    return assembled(ingredients)


def ensure_home(source: Source = "auto") -> StanHome:
    """Return a Stan that works, made first if need be.

    Parameters
    ----------
    source
        ``auto``: what `find_home` finds, or else assembled from the httpstan wheel; ``wheel``: assembled, whatever
        else is there; ``official``: CmdStan of the same version, downloaded by cmdstanpy.

    Raises
    ------
    ToolchainError
        If it cannot be made; one line with the remedy.
    """
    if source not in get_args(Source):
        raise ConfigError(f"source must be one of {', '.join(get_args(Source))}, not {source!r}")
    if source == "official":
        from bayeskit.toolchain.official import install_official

        return install_official()
    home = find_home() if source == "auto" else None
    return home or assemble(find_ingredients())
