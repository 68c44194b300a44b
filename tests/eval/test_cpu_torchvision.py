"""Whatever pair of torch and torchvision is installed, what needs torchvision can be imported in a fresh process."""

import subprocess
import sys


def test_imports_work_in_a_fresh_process() -> None:
    lines = "import torchvision, torchvision.transforms; from diffusers import StableDiffusionXLPipeline"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
