"""Stan without a download: find a CmdStan, or assemble one from the httpstan wheel, and compile programs with it."""

from bayeskit.toolchain.homes import StanHome
from bayeskit.toolchain.info import describe
from bayeskit.toolchain.programs import compile_program
from bayeskit.toolchain.resolve import ensure_home, find_home
from bayeskit.toolchain.sources import Variable, Variables, read_variables

__all__ = [
    "StanHome",
    "Variable",
    "Variables",
    "compile_program",
    "describe",
    "ensure_home",
    "find_home",
    "read_variables",
]
