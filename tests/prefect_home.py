"""Homes of Prefect servers in tests.

A server that finds an empty home migrates a new database for 12 seconds of the processor. In a test run that happens
once: each home starts with a copy.
"""

import os
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

TEMPLATE = "SKEWBENCH_TESTS_PREFECT_HOME"
"""Environment variable: a home with a migrated, empty database, which is made on first use. Unset: no copies."""


def prepare_home(home: Path) -> Path:
    """Give a server's home a migrated database, unless it has one.

    Args:
        home: Its folder.

    Returns:
        The home.
    """
    template = os.environ.get(TEMPLATE)
    if template and not (home / "prefect.db").exists():
        home.mkdir(mode=0o700, parents=True, exist_ok=True)  # as Prefect makes it
        database = home / "prefect.db"
        database.touch(mode=0o600)  # the files that SQLite puts beside it get the same mode
        database.write_bytes(_migrated(Path(template)).read_bytes())
    return home


def _migrated(home: Path) -> Path:
    """The template's database."""
    database = home / "prefect.db"
    with FileLock(f"{home}.lock"):  # the processes of a test run share it
        if not database.exists():
            making = home.with_name(f"{home.name}-making")
            upgrade = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"]
            environment = {**os.environ, "PREFECT_HOME": str(making)}
            subprocess.run(upgrade, env=environment, check=True, capture_output=True, timeout=600)
            making.rename(home)
    return database
