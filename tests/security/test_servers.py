"""Servers that a run starts by itself are on loopback, unless somebody says otherwise."""

import os
import subprocess
import sys

_ASK = """
import skewbench.flows.cli
try:
    skewbench.flows.cli.main()
except SystemExit:
    pass
from prefect.settings import get_current_settings
print(get_current_settings().server.api.host, get_current_settings().server.analytics_enabled)
"""


def test_prefects_server() -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    done = subprocess.run([sys.executable, "-c", _ASK, "--help"], capture_output=True, text=True, timeout=300, env=own)
    assert done.stdout.splitlines()[-1] == "127.0.0.1 False", done.stderr
