"""What the process says about memory is heard; how much it saves is measured by the benchmark."""

import subprocess
import sys

SCRIPT = """
import pyarrow as pa
from collector import allocator

allocator.economise()
print(pa.default_memory_pool().backend_name, pa.array(["a"]).to_pylist())
"""


def test_arrow_takes_its_memory_where_everybody_else_does():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)

    assert done.stdout == "system ['a']\n"


SETTLED = """
import gc
from collector import allocator

allocator.settle()
first = gc.get_freeze_count()
circle = []
circle.append(circle)
del circle
print(first > 1000, gc.collect(), len(gc.get_objects()) < first / 10)
"""


def test_what_is_there_when_all_is_started_is_not_searched_for_garbage_and_what_comes_later_is():
    done = subprocess.run([sys.executable, "-c", SETTLED], capture_output=True, text=True, check=True)

    assert done.stdout == "True 1 True\n"
