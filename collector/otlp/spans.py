"""Spans: from the messages of a request to the columns of `collector.schema.SPANS` and back."""

import pyarrow as pa
import pyarrow.compute as pc

from collector.otlp.columns import Columns, Owners, Readers, attributes, children, fields_of, struct
from collector.otlp.nested import Place
from collector.schema import EVENT, LINK, SPANS

_NOT_SENT = ("resource", "scope", "status_code", "status_message")


def read(spans: pa.StructArray, owners: Owners, _: Readers) -> dict[str, pa.RecordBatch]:
    """Return the table of the *spans*."""
    status = spans.field("status")
    own = {
        "resource": pa.array(owners.resource),
        "scope": pa.array(owners.scope),
        "attributes": attributes(spans.field("attributes"), Place.SPAN),
        "events": children(spans.field("events"), EVENT, _event_columns),
        "links": children(spans.field("links"), LINK, _link_columns),
        "status_code": status.field("code"),
        "status_message": status.field("message"),
    }
    columns = [own[name] if name in own else spans.field(name) for name in SPANS.names]
    return {"spans": pa.RecordBatch.from_arrays(columns, schema=SPANS)}


def _event_columns(encoded: pa.BinaryArray) -> Columns:
    columns = fields_of("Event", encoded)
    return {**columns, "attributes": attributes(columns["attributes"], Place.EVENT)}


def _link_columns(encoded: pa.BinaryArray) -> Columns:
    columns = fields_of("Link", encoded)
    return {**columns, "attributes": attributes(columns["attributes"], Place.LINK)}


def write(spans: pa.RecordBatch) -> pa.StructArray:
    """Return the spans as in the protocol: a status of its own, present where it says something."""
    code, message = spans.column("status_code"), spans.column("status_message")
    unset = pc.and_(pc.equal(code, 0), pc.equal(message, ""))
    status = pa.StructArray.from_arrays([message, code], names=["message", "code"], mask=unset)
    return struct(spans.drop_columns(list(_NOT_SENT)).append_column("status", status))
