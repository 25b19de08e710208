"""What the process says about memory is heard; how much it saves is measured by the benchmark."""

import importlib.util
import subprocess
import sys

SCRIPT = """
import pyarrow as pa
from collector import allocator

allocator.economise()
print(pa.default_memory_pool().backend_name, pa.array(["a"]).to_pylist())
"""
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
PANDAS = """
import sys
import numpy as np
import pyarrow as pa
from collector import allocator

allocator.economise()
print(pa.array(np.arange(2)).to_pylist(), pa.array(["a"]).to_pylist(), "pandas" in sys.modules)
import pandas
print(pandas.Series([1]).tolist())
"""


def test_arrow_takes_its_memory_where_everybody_else_does():
    assert printed(SCRIPT) == "system ['a']\n"


def test_what_is_there_when_all_is_started_is_not_searched_for_garbage_and_what_comes_later_is():
    assert printed(SETTLED) == "True 1 True\n"


def test_pandas_is_not_loaded_for_arrow_and_there_for_others():
    assert importlib.util.find_spec("pandas"), "chDB brings it; without it this test shows nothing"

    assert printed(PANDAS) == "[0, 1] ['a'] False\n[1]\n"


def test_pandas_is_not_loaded_by_any_component():
    command = [sys.executable, "-X", "importtime", "-m", "collector", "components"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stderr.split()

    assert "exporters.clickhouse.client" in loaded
    assert "pandas" not in loaded


def printed(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
