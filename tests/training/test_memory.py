import subprocess
import sys

import pytest

PROBE = """
import resource
from studyhub.training.memory import keep_freed_memory
if {keep}:
    assert keep_freed_memory()
def use():
    for _ in range(20):
        b"x" * (64 << 20)
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a setting of glibc")
def test_freed_memory_is_used_again_without_page_faults():
    faults = {}
    for keep in (False, True):
        run = subprocess.run([sys.executable, "-c", PROBE.format(keep=keep)], capture_output=True, text=True, check=True)
        faults[keep] = int(run.stdout)
    assert faults[True] < 0.1 * faults[False]
