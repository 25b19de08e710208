"""The events and links of spans as the texts that SigNoz's trace table holds."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import Attributes
from collector.batch import Batch
from exporters.clickhouse.columns import Ints, hex_ids
from exporters.clickhouse.distinct import DistinctAttributes, distinct_attributes
from exporters.clickhouse.texts import as_string, json_object, quoted


@dataclass(frozen=True, slots=True)
class Events:
    """The events of all spans laid flat, one behind the other; *texts* are their JSON."""

    lists: pa.ListArray
    rows: Ints
    times: npt.NDArray[np.uint64]
    attributes: DistinctAttributes
    exceptions: npt.NDArray[np.bool_]
    texts: pa.StringArray


def events_of(batch: Batch) -> Events:
    """Return the events of the batch's spans, worked out once per batch."""
    return batch.memo(_events)


def events_column(batch: Batch) -> pa.ListArray:
    """Return the JSON texts of each span's events."""
    events = events_of(batch)
    offsets = np.asarray(events.lists.offsets)
    return pa.ListArray.from_arrays(pa.array(offsets - offsets[0]), events.texts)


def links_column(batch: Batch, trace_ids: pa.StringArray, parent_ids: pa.StringArray) -> pa.StringArray:
    """Return the JSON text of each span's links, the first of which always points to the parent."""
    parents = _references(trace_ids, parent_ids, "CHILD_OF")
    lists = batch.main.column("links")
    flat = lists.flatten()
    if not len(flat):
        return pc.binary_join_element_wise("[", parents, "]", "")
    others = _references(hex_ids(flat.field("trace_id")), hex_ids(flat.field("span_id")), "FOLLOWS_FROM")
    others = pc.binary_join_element_wise(",", others, "")
    offsets = np.asarray(lists.offsets)
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets - offsets[0]), others), "")
    return pc.binary_join_element_wise("[", parents, joined, "]", "")


def _references(trace_ids: pa.StringArray, span_ids: pa.StringArray, kind: str) -> pa.StringArray:
    span = pc.if_else(pc.equal(span_ids, ""), "", pc.binary_join_element_wise('","spanId":"', span_ids, ""))
    return pc.binary_join_element_wise('{"traceId":"', trace_ids, span, f'","refType":"{kind}"}}', "")


def _events(batch: Batch) -> Events:
    lists = batch.main.column("events")
    flat = lists.flatten()
    if not len(flat):
        nothing = np.zeros(0, np.int64)
        none = DistinctAttributes(nothing, [])
        return Events(
            lists, nothing, nothing.view(np.uint64), none, nothing.astype(np.bool_), pa.array([], pa.string())
        )
    rows = np.repeat(np.arange(len(lists)), np.diff(np.asarray(lists.offsets)))
    times = flat.field("time_unix_nano")
    attributes = distinct_attributes(Attributes(flat.field("attributes")))
    names = pc.dictionary_encode(flat.field("name"))
    plain = names.dictionary.to_pylist()
    exceptions = np.array([name == "exception" or name.endswith(".exception") for name in plain], np.bool_)
    exceptions = exceptions[np.asarray(names.indices)]
    name_members = pa.array([f'"name":{quoted(name)},' if name else "" for name in plain], pa.string())
    members = [
        name_members.take(names.indices),
        _time_members(times),
        _attribute_members(attributes),
        pc.if_else(exceptions, '"isError":true,', ""),
    ]
    joined = pc.utf8_rtrim(pc.binary_join_element_wise(*members, ""), ",")
    texts = pc.binary_join_element_wise("{", joined, "}", "")
    return Events(lists, rows, times.to_numpy(), attributes, exceptions, texts)


def _time_members(times: pa.UInt64Array) -> pa.StringArray:
    texts = pc.binary_join_element_wise('"timeUnixNano":', times.cast(pa.string()), ",", "")
    return pc.if_else(pc.equal(times, pa.scalar(0, pa.uint64())), "", texts)


def _attribute_members(attributes: DistinctAttributes) -> pa.StringArray:
    texts = [json_object({key: quoted(as_string(value)) for key, value in one.items()}) for one in attributes.maps]
    members = pa.array([f'"attributeMap":{text},' if text != "{}" else "" for text in texts], pa.string())
    return members.take(pa.array(attributes.numbers))
