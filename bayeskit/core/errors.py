"""The exceptions that bayeskit raises on purpose.

Each message is one line that names what was wrong, where, and the remedy; the command line prints it as it
stands and exits with ``exit_status``.
"""


class DataError(ValueError):
    """The data cannot be used as they are."""

    exit_status = 2


class ConfigError(ValueError):
    """An option, a prior or a path that was asked for makes no sense."""

    exit_status = 2


class ProgramError(ValueError):
    """A Stan program has an error, or does not work with the data that it was given."""

    exit_status = 2


class ToolchainError(RuntimeError):
    """Stan cannot be built or found on this machine."""

    exit_status = 1


class InferenceError(RuntimeError):
    """An engine stopped without a result. Poor convergence is a verdict, not this."""

    exit_status = 1


class ReportError(RuntimeError):
    """The numbers are there and kept, but the report could not be made."""

    exit_status = 1
