"""Errors by cause: bad input, or a run that failed."""


class InputError(Exception):
    """Bad input: one clear line that names what was wrong and what is allowed; one line per error if there are several.

    The command line exits with 2.
    """


class RunError(Exception):
    """The run cannot continue or did not finish. The command line exits with 1."""


class IncompleteRunError(RunError):
    """The run ended, but a part of it failed. `run_id`: which run."""

    def __init__(self, message: str, run_id: str) -> None:
        super().__init__(message)
        self.run_id = run_id
