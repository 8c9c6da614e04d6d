"""The steps put together: load, fit, assess, report."""

from bayeskit.workflows.fitting import (
    assess,
    demo,
    diagnosis,
    fit,
    fit_to_folder,
    load_run,
    report,
    report_again,
    save_run,
)

__all__ = [
    "assess",
    "demo",
    "diagnosis",
    "fit",
    "fit_to_folder",
    "load_run",
    "report",
    "report_again",
    "save_run",
]
