"""What bayeskit can be asked for: tasks, from which command, script and record all follow."""

from bayeskit.tasks.calibrating import CALIBRATION_CONFIG, MOST_FROM_ONE_FIT, CalibrationTask, calibration_config
from bayeskit.tasks.fitting import MODELS, ProgramTask, Task

__all__ = [
    "CALIBRATION_CONFIG",
    "MODELS",
    "MOST_FROM_ONE_FIT",
    "CalibrationTask",
    "ProgramTask",
    "Task",
    "calibration_config",
]
