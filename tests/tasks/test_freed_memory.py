import os
import subprocess
import sys

import pytest

ROUNDS = """
import resource, sys
import torch
from skewbench.tasks.freed_memory import keep_freed_memory

if sys.argv[1] == "kept":
    assert keep_freed_memory()

def work() -> None:
    temporaries = [torch.ones(1 << 20) for _ in range(6)]

torch.set_num_threads(1)
for _ in range(3):
    work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(memory: str) -> int:
    """Page faults of 20 rounds that each allocate and free six tensors of 4 MB, where glibc returns each at once."""
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "131072"}
    command = [sys.executable, "-c", ROUNDS, memory]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's C library")
def test_temporaries_reuse_freed_memory() -> None:
    assert faults("kept") < faults("returned") / 2
