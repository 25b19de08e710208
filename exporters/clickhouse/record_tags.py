"""What SigNoz offers while somebody types a query over logs; see `exporters.clickhouse.tags`.

Programs put ids into the keys of log attributes. Such keys are seen once and would fill the tables, so keys that look
random are left out here; the records themselves keep them.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from collector.batch import Batch
from exporters.clickhouse.columns import Ints
from exporters.clickhouse.insert import Insert
from exporters.clickhouse.resources import scopes_of
from exporters.clickhouse.tags import (
    HOUR_NANOSECONDS,
    Values,
    attribute_keys,
    attribute_values,
    field_values,
    owner_keys,
    owner_values,
    resource_owners,
    values_insert,
)

_LONGEST_KEY = 256
_FIELD = "logfield"
_RANDOM = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # UUID
    r"|(?<![0-9a-z])[0-9a-f]{16,}(?![0-9a-z])"  # hex
    r"|[0-9]{13}"  # milliseconds since 1970 and longer
    r"|(?<![0-9a-z])[0-7](?-i:[0-9A-HJKMNP-TV-Z]{25}|[0-9a-hjkmnp-tv-z]{25})(?![0-9a-z])"  # ULID
    r"|(?<![0-9a-z])[0-9a-z+/]{16,}={1,2}$",  # padded base64
    re.IGNORECASE,
)
_BASE64 = re.compile(r"[0-9A-Za-z+/]{20,}")


@lru_cache(maxsize=4096)
def looks_random(key: str) -> bool:
    """Tell whether the key holds a UUID, a hex number, a time, a ULID or base64, or is very long."""
    return (
        len(key) > _LONGEST_KEY
        or _RANDOM.search(key) is not None
        or any(_looks_like_base64(run) for run in _BASE64.findall(key))
    )


def record_keys_inserts(batch: Batch) -> Iterator[Insert]:
    """Yield every key of the batch's records and of its resources, for the table of each."""
    kinds = [(key, data_type) for key, data_type in attribute_keys(batch) if not looks_random(key)]
    yield _keys_insert("signoz_logs.distributed_logs_attribute_keys", kinds)
    resource_keys = owner_keys(resource_owners(batch))
    kinds = [(key, "string") for key in resource_keys if not looks_random(key)]
    yield _keys_insert("signoz_logs.distributed_logs_resource_keys", kinds)


def record_values_insert(batch: Batch, now: float) -> Insert:
    """Return the distinct values of the batch's records, resources, scopes and log fields, all seen in this hour."""
    hours = np.full(batch.rows, int(now * 10**9) // HOUR_NANOSECONDS)
    scopes = scopes_of(batch)
    found = [
        *attribute_values(batch, hours),
        owner_values(resource_owners(batch), hours),
        owner_values(("scope", [one.attributes for one in scopes.distinct], scopes.numbers), hours),
        *_fields(batch, hours),
    ]
    return values_insert("signoz_logs.distributed_tag_attributes_v2", [_without_random(one) for one in found])


def _keys_insert(table: str, kinds: Iterable[tuple[str, str]]) -> Insert:
    names, data_types = [list(column) for column in zip(*kinds, strict=True)] or ([], [])
    columns = [pa.array(names, pa.string()), pa.array(data_types, pa.string())]
    return Insert(table, pa.RecordBatch.from_arrays(columns, ["name", "datatype"]), None, lasting=True)


def _fields(batch: Batch, hours: Ints) -> Iterator[Values]:
    yield field_values(_FIELD, "severity_text", pc.dictionary_encode(batch.main.column("severity_text")), hours)
    numbers = batch.main.column("severity_number").cast(pa.float64())
    yield field_values(_FIELD, "severity_number", pc.dictionary_encode(numbers), hours)


def _without_random(found: Values) -> Values:
    keys = pc.dictionary_encode(found.keys)
    kept = np.array([not looks_random(key) for key in keys.dictionary.to_pylist()], np.bool_)
    if kept.all():
        return found
    mask = kept[np.asarray(keys.indices)]
    values = None if found.values is None else found.values.filter(pa.array(mask))
    return Values(found.tag_type, found.data_type, found.hours[mask], found.keys.filter(pa.array(mask)), values)


def _looks_like_base64(run: str) -> bool:
    """Tell whether capitals, small letters and digits change places as often as in random text."""
    kinds = ["9" if one.isdigit() else "A" if one.isupper() else "a" for one in run]
    changes = sum(first != second for first, second in pairwise(kinds))
    return len(set(kinds)) == 3 and 2 * changes >= len(run)
