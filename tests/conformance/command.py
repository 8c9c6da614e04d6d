"""The command line as users call it, in a process of its own."""

import subprocess
import sys


def bayeskit(*arguments, cwd, **options):
    command = [sys.executable, "-W", "error", "-c", "from bayeskit.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, **options)
