"""Training on a CPU takes its memory from the system once."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource
import sys
import torch
from antisample.training.malloc import keep_freed_memory

torch.set_num_threads(1)
if sys.argv[1] == "keep":
    assert keep_freed_memory() and keep_freed_memory()
weight = torch.randn(512, 4608, requires_grad=True)
before = 0
for step in range(60):
    if step == 30:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    hidden = [torch.randn(64, 4608) for _ in range(step % 3 + 1)]
    sum((one @ weight.T).square().mean() for one in hidden).backward()
    weight.grad = None
    del hidden
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.integration
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only glibc can be told to keep memory")
def test_steps_after_the_first_ones_touch_no_new_memory():
    faults = {
        how: int(subprocess.run([sys.executable, "-c", PROGRAM, how], check=True, capture_output=True).stdout)
        for how in ("keep", "leave")
    }
    assert faults["keep"] < faults["leave"] / 5, faults
