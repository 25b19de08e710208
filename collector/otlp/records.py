"""Log records: from the messages of a request to the columns of `collector.schema.RECORDS` and back."""

import pyarrow as pa

from collector.otlp.columns import Owners, Readers, attributes, struct, values
from collector.otlp.nested import Place
from collector.schema import RECORDS


def read(records: pa.StructArray, owners: Owners, _: Readers) -> dict[str, pa.RecordBatch]:
    """Return the table of the *records*."""
    own = {
        "resource": pa.array(owners.resource),
        "scope": pa.array(owners.scope),
        "body": values(records.field("body"), Place.BODY),
        "attributes": attributes(records.field("attributes"), Place.RECORD),
    }
    columns = [own[name] if name in own else records.field(name) for name in RECORDS.names]
    return {"records": pa.RecordBatch.from_arrays(columns, schema=RECORDS)}


def write(records: pa.RecordBatch) -> pa.StructArray:
    """Return the records as in the protocol."""
    return struct(records.drop_columns(["resource", "scope"]))
