"""What ran where: versions of packages and a description of the machine."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path

_PACKAGES = (
    "bayeskit",
    "cmdstanpy",
    "httpstan",
    "torch",
    "pyro-ppl",
    "numpy",
    "scipy",
    "pandas",
    "xarray",
    "arviz-base",
    "arviz-stats",
    "arviz-plots",
    "plotly",
)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the installed packages that results rest on, without importing them."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def hardware() -> dict[str, str]:
    """Return processor, number of cores, memory and operating system, as a reader would name them."""
    import psutil

    return {
        "processor": _processor() or platform.machine(),
        "cores": str(psutil.cpu_count() or 1),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    except OSError:  # not Linux
        return platform.processor()
