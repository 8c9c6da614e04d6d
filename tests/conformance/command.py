"""The command line as users call it, in a process of its own; or in this one, where that would cost too much."""

import contextlib
import io
import signal
import subprocess
import sys

import pytest


def bayeskit(*arguments, cwd, **options):
    command = [sys.executable, "-W", "error", "-c", "from bayeskit.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, **options)


def called(*arguments, cwd):
    """Return the status and the complaints of a command that runs in this process, which saves the imports."""
    from bayeskit.cli import main

    handler = signal.getsignal(signal.SIGTERM)
    complaints = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patched,
        contextlib.redirect_stderr(complaints),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        patched.chdir(cwd)
        patched.setattr(sys, "argv", ["bayeskit", *map(str, arguments)])
        try:
            main()
        except SystemExit as stopped:
            return stopped.code, complaints.getvalue()
        finally:
            signal.signal(signal.SIGTERM, handler)
    raise AssertionError("a command leaves with a status")
