"""Processes that a test looks at while they start and end."""

import psutil


def command_line(process: psutil.Process) -> str:
    """The words of a process, or nothing if it has ended or is a zombie."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
