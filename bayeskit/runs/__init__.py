"""Run folders: made, written and read back."""

from bayeskit.runs.folders import CHECKPOINT, FIGURES, NODES, TASK, new_folder, scratch, unfinished
from bayeskit.runs.saved import SCHEMA_VERSION, load, read_record, save

__all__ = [
    "CHECKPOINT",
    "FIGURES",
    "NODES",
    "SCHEMA_VERSION",
    "TASK",
    "load",
    "new_folder",
    "read_record",
    "save",
    "scratch",
    "unfinished",
]
