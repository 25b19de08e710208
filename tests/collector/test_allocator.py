"""Arrow, Python and the decoder share one allocator; how much it saves is measured by the benchmark."""

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
