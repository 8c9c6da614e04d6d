"""What bayeskit can be asked for: tasks, from which command, script and record all follow."""

from bayeskit.tasks.blocks import sbm
from bayeskit.tasks.calibrating import (
    CALIBRATION_CONFIG,
    MOST_FROM_ONE_FIT,
    RATINGS_CALIBRATION,
    CalibrationTask,
    calibration_config,
)
from bayeskit.tasks.crosschecking import CrosscheckTask
from bayeskit.tasks.densities import (
    DEFAULT_ENGINES,
    MADE_UP,
    AnyDensity,
    DensityTask,
    default_config,
    model_of,
    targets_told,
)
from bayeskit.tasks.engines import ENGINES, AnyConfig, AnyUpdatesConfig, config_of, configured, engine_of, with_options
from bayeskit.tasks.fitting import ProgramTask, Task
from bayeskit.tasks.mixtures import gmm
from bayeskit.tasks.models import MODELS, default_config_of
from bayeskit.tasks.running import PyroTask

__all__ = [
    "CALIBRATION_CONFIG",
    "DEFAULT_ENGINES",
    "ENGINES",
    "MADE_UP",
    "MODELS",
    "MOST_FROM_ONE_FIT",
    "RATINGS_CALIBRATION",
    "AnyConfig",
    "AnyDensity",
    "AnyUpdatesConfig",
    "CalibrationTask",
    "CrosscheckTask",
    "DensityTask",
    "ProgramTask",
    "PyroTask",
    "Task",
    "calibration_config",
    "config_of",
    "configured",
    "default_config",
    "default_config_of",
    "engine_of",
    "gmm",
    "model_of",
    "sbm",
    "targets_told",
    "with_options",
]
