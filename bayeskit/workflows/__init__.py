"""The steps put together: load, fit, assess, report."""

from bayeskit.workflows.calibrating import calibrate, calibrate_to_folder, calibration_again
from bayeskit.workflows.comparing import compare
from bayeskit.workflows.crosschecking import crosscheck, crosscheck_to_folder
from bayeskit.workflows.demonstrating import demo, diagnosis, shipped
from bayeskit.workflows.drawing import Model, Progress
from bayeskit.workflows.fitting import assess, fit
from bayeskit.workflows.generating import reconstruct
from bayeskit.workflows.indexing import write_index
from bayeskit.workflows.recommending import recommend, similar_items
from bayeskit.workflows.saving import fit_to_folder, load_run, report, report_again, save_run
from bayeskit.workflows.using import generate, predict

__all__ = [
    "Model",
    "Progress",
    "assess",
    "calibrate",
    "calibrate_to_folder",
    "calibration_again",
    "compare",
    "crosscheck",
    "crosscheck_to_folder",
    "demo",
    "diagnosis",
    "fit",
    "fit_to_folder",
    "generate",
    "load_run",
    "predict",
    "recommend",
    "reconstruct",
    "report",
    "report_again",
    "save_run",
    "shipped",
    "similar_items",
    "write_index",
]
