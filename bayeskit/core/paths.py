"""Where things are: what ships with bayeskit, and the user's cache folder. Nothing is written next to the former."""

import os
import re
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def resource(*parts: str) -> Path:
    """Path of a file that ships in the top-level folders ``stan`` or ``data``.

    They lie beside the package in a clone and inside it (``_resources``) in an installed wheel.

    Raises
    ------
    FileNotFoundError
        If there is no such file: the installation is damaged.
    """
    for root in (_PACKAGE / "_resources", _PACKAGE.parent):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    raise FileNotFoundError(f"bayeskit's own file {'/'.join(parts)} is missing; reinstall bayeskit")


def stan_program(name: str) -> str:
    """Return the text of a program in ``stan``, its includes put in their places."""
    text = resource("stan", name).read_text(encoding="utf-8")
    return re.sub(r"^[ \t]*#include (\S+)$", lambda match: stan_program(match[1]).rstrip(), text, flags=re.MULTILINE)


def cache_folder() -> Path:
    """Return the user's cache folder: ``BAYESKIT_CACHE``, or the platform's usual place."""
    override = os.environ.get("BAYESKIT_CACHE")
    if override:
        return Path(override).expanduser().resolve()
    from platformdirs import user_cache_path

    return user_cache_path("bayeskit", appauthor=False)
