"""The calls into cmdstanpy that compile something: run as a script, in a process of its own.

There they may set the environment and the working folder, which cmdstanpy does for the whole process, and can be
ended together with make and the compilers below them. cmdstanpy's messages go to the caller's log.
"""

import sys
from pathlib import Path


def compile_copy(program: str, *include_folders: str) -> bool:
    """Compile a program beside itself, with the CmdStan that ``CMDSTAN`` names."""
    import cmdstanpy

    try:
        cmdstanpy.compile_stan_file(
            program, stanc_options={"include-paths": list(include_folders)} if include_folders else None
        )
    except ValueError as error:
        print(error)
        return False
    return Path(program).with_suffix("").is_file()


def install(version: str, cores: str) -> bool:
    """Download and build a CmdStan."""
    import cmdstanpy

    return cmdstanpy.install_cmdstan(version=version, cores=int(cores))


if __name__ == "__main__":
    job, *arguments = sys.argv[1:]
    done = compile_copy(*arguments) if job == "compile" else install(*arguments)
    sys.exit(0 if done else 1)
