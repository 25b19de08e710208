import subprocess
import sys

import pytest

SCRIPT = """
import re, sys
from pathlib import Path
import pyarrow as pa
import pyarrow.compute as pc
from collector import memory

def resident():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

if "economise" in sys.argv:
    memory.economise()
kept = []
zero = pc.add(0, 0)
before = resident()
for size in range(2, 12):
    arrays = [pc.add(pa.nulls(size * 70_000, pa.int64()).fill_null(1), zero) for _ in range(8)]
    kept.append(pc.add(pa.array([size]), zero))
    del arrays
print(pa.default_memory_pool().backend_name, pa.total_allocated_bytes() < 10_000, resident() - before)
"""


def run(*arguments):
    done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=True)
    backend, freed, grown = done.stdout.split()
    assert freed == "True"
    return backend, int(grown)


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux knows about a process")
def test_freed_columns_go_back_to_the_system():
    backend, grown = run("economise")

    assert backend == "system"
    assert grown < 16
