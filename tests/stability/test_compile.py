"""torch.compile sees through the processors: no graph breaks, the same numbers. In a process without shape checks."""

import subprocess
import sys

import pytest

SCRIPT = """
import torch
from skewbench.stability import Recorder, Skew, Vanilla, perturb
from skewbench.stability.knobs import Sketch
from tests.stability.models import layer

torch.set_num_threads(1)
torch.set_grad_enabled(False)
# else the number of the call, which a hook counts on the model, would be a constant of the graph
torch._dynamo.config.allow_unspec_int_on_nn_module = True
x = torch.randn(4, 9, 24)
for knob in (Vanilla(), Skew(1.2, 3.0, "dev", True), Skew(1.2, 3.0, rescale="off"), Skew(1.2, rescale=Sketch(5))):
    for recorder in (None, Recorder(columns=5)):
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        attention = layer()
        with perturb(attention, knob, recorder, samples=2):
            eager = attention(x)
            table = recorder and recorder.to_arrow()
        with perturb(attention, knob, recorder, samples=2):
            compiled = torch.compile(attention, fullgraph=True, backend="eager")
            calls = 2 if recorder else 10
            for _ in range(calls):
                torch.testing.assert_close(compiled(x), eager, rtol=1e-5, atol=1e-5)
        graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
        assert recorder or graphs <= 3, (knob, graphs)
        if recorder:
            again = recorder.to_arrow()
            for name in ("energy", "alignment", "symmetry", "alpha_eff"):
                if table[name].null_count == 0:
                    one, other = (torch.tensor(rows[name].to_pylist()) for rows in (again, table))
                    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
            assert again["steps"][0].as_py() == [0, 1]
print("no graph breaks")
"""


@pytest.mark.slow
def test_processors_compile_whole() -> None:
    """`fullgraph` raises at a break. The eager backend takes no C compiler, and captures the same graphs."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == "no graph breaks"
