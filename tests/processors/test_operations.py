"""What asks a model for something is the same for whoever names, prices, counts or judges it."""

import re

from processors.cost import OPERATIONS
from processors.genai.shipped import shipped
from processors.rollup.call_table import call_table
from tests.clickhouse_http import ROOT


def test_every_part_takes_the_same_operations_for_calls_of_a_model():
    sql = (ROOT / "exporters/clickhouse/sql/views.sql").read_text()
    [listed] = re.findall(r"\[([^\]]*)\] AS operations", sql)

    wanted = set(call_table().operations)
    assert wanted == OPERATIONS
    assert wanted == shipped().calls
    assert wanted == set(re.findall(r"'(\w+)'", listed))
