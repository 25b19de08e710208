"""What is in OTLP requests, however they are cut and joined: each item with its resource and scope."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from collector.batch import Signal
from collector.otlp.protocol import PROTOCOLS


def contents(signal: Signal, requests: Iterable[bytes]) -> Counter[bytes]:
    """Return how often each span, point or record is in the requests, as bytes that say all of it."""
    protocol = PROTOCOLS[signal]
    found: Counter[bytes] = Counter()
    for data in requests:
        for by_resource in getattr(protocol.request.FromString(data), protocol.resources):
            for by_scope in getattr(by_resource, protocol.scopes):
                urls = by_resource.schema_url.encode(), by_scope.schema_url.encode()
                around = [_bytes(by_resource.resource), _bytes(by_scope.scope), *urls]
                items = (item for whole in getattr(by_scope, protocol.items) for item in _single(whole))
                found.update(b"|".join([*around, _bytes(item)]) for item in items)
    return found


def _single(item: Any) -> Iterator[Any]:
    """Yield a metric once for each of its points, anything else as it is but for a status that says nothing."""
    names = item.DESCRIPTOR.fields_by_name
    if "histogram" in names:
        kind = item.WhichOneof("data")
        points = list(getattr(item, kind).data_points) if kind else []
        for point in points:
            del getattr(item, kind).data_points[:]
            getattr(item, kind).data_points.append(point)
            yield item
        return
    if "status" in names and not item.status.ByteSize():
        item.ClearField("status")
    yield item


def _bytes(message: Any) -> bytes:
    data: bytes = message.SerializeToString(deterministic=True)
    return data
