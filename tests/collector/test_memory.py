"""What one thread freed serves all the others, whether Arrow, Python or the decoder asked for it."""

import subprocess
import sys

import pytest

SCRIPT = """
import re, sys
from pathlib import Path
from threading import Thread
import pyarrow as pa
from collector import memory

def resident():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

def columns():
    kept = [pa.nulls(7_500, pa.int64()).fill_null(1) for _ in range(1000)]

def texts():
    kept = [bytes(60_000 + number) for number in range(1000)]

if "economise" in sys.argv:
    memory.economise()
grown = []
before = resident()
for work in (columns, texts, columns, texts):
    thread = Thread(target=work)
    thread.start()
    thread.join()
    grown.append(resident() - before)
print(pa.default_memory_pool().backend_name, max(grown))
"""


def run(*arguments: str) -> tuple[str, int]:
    done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=True)
    backend, grown = done.stdout.split()
    return backend, int(grown)


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux knows about a process")
def test_what_was_freed_is_used_again_by_whoever_asks_next():
    backend, grown = run("economise")
    _, otherwise = run()

    assert backend == "system"
    assert grown < otherwise
