"""SigNoz's calculated columns: attributes of HTTP, RPC and databases that a span shows in columns of their own.

Of several attributes that feed one column the last one counts, in the order in which the span carries them.
"""

import re
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from collector.attributes import Attributes, Positions, attributes_of
from collector.batch import Batch
from exporters.clickhouse.columns import constant
from exporters.clickhouse.texts import double_text

_CLIENT = 3
_STATUS_CODES = ("http.status_code", "http.response.status_code", "rpc.grpc.status_code")
_STATUS_TEXTS = ("rpc.jsonrpc.error_code",)
_URLS = ("http.url", "url.full")
_METHODS = ("http.method", "http.request.method")
_HOSTS = ("http.host", "server.address", "client.address", "http.request.header.host", "net.peer.name")
_DATABASES = ("db.name", "db.namespace")
_OPERATIONS = ("db.operation", "db.operation.name")

COLUMNS = (
    "response_status_code",
    "external_http_url",
    "http_url",
    "external_http_method",
    "http_method",
    "http_host",
    "db_name",
    "db_operation",
)


def calculated_columns(batch: Batch) -> dict[str, pa.Array]:
    """Return the columns named in `COLUMNS`, each with one text per span, '' where nothing feeds it."""
    attributes = attributes_of(batch)
    client = np.asarray(batch.main.column("kind")) == _CLIENT
    found: dict[str, pa.Array] = {}
    methods = _last_texts(attributes, _METHODS)
    if methods is not None:
        found["http_method"] = methods
        found["external_http_method"] = _only(client, methods)
    urls = _hits(attributes, _URLS, strings=True)
    if len(urls):
        found["http_url"] = attributes.strings(_last(attributes, urls)).fill_null("")
        found["external_http_url"] = _only(client, _host_names(found["http_url"]))
    found["http_host"] = _http_hosts(attributes, urls[client[attributes.rows[urls]]])
    found["response_status_code"] = _response_status_codes(attributes)
    found["db_name"] = _last_texts(attributes, _DATABASES)
    found["db_operation"] = _last_texts(attributes, _OPERATIONS)
    empty = constant("", batch.rows)
    return {name: empty if found.get(name) is None else pc.dictionary_encode(found[name]) for name in COLUMNS}


def host_name(url: str) -> str:
    """Return the host of *url* without user and port, '' when it has none."""
    try:
        host = urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def status_code_text(text: str) -> str:
    """Return a status code written as text the way the table shows it: as a number, ``0`` when it is none."""
    if re.fullmatch(r"[+-]?[0-9]+", text):
        return str(int(text))
    if re.fullmatch(r"[+-]?[0-9]*\.?[0-9]+([eE][+-]?[0-9]{1,2})?", text):
        return double_text(float(text))
    return "0"


def _hits(attributes: Attributes, keys: tuple[str, ...], *, strings: bool) -> Positions:
    """Return the positions of attributes with these keys, in order; on demand only those that are *strings*."""
    wanted = np.isin(attributes.names, keys)
    if not wanted.any():
        return np.zeros(0, np.int64)
    hits = np.flatnonzero(wanted[attributes.codes])
    if strings:
        hits = hits[np.asarray(attributes.member("string_value", hits).is_valid())]
    return hits


def _last(attributes: Attributes, hits: Positions) -> Positions:
    """Return the last of the *hits* of each span, -1 where it has none."""
    last = np.full(attributes.count, -1, np.int64)
    last[attributes.rows[hits]] = hits
    return last


def _last_texts(attributes: Attributes, keys: tuple[str, ...]) -> pa.StringArray | None:
    hits = _hits(attributes, keys, strings=True)
    if not len(hits):
        return None
    return attributes.strings(_last(attributes, hits)).fill_null("")


def _only(mask: npt.NDArray[np.bool_], texts: pa.StringArray) -> pa.StringArray:
    return pc.if_else(mask, texts, "")


def _host_names(urls: pa.StringArray) -> pa.StringArray:
    distinct = pc.dictionary_encode(urls)
    names = pa.array([host_name(url) for url in distinct.dictionary.to_pylist()], pa.string())
    return names.take(distinct.indices)


def _http_hosts(attributes: Attributes, client_urls: Positions) -> pa.StringArray | None:
    """Return the host that a span names, or else the host of the first URL after that which has one."""
    named = _hits(attributes, _HOSTS, strings=True)
    if not len(named) and not len(client_urls):
        return None
    last = _last(attributes, named)
    hosts = attributes.strings(last).fill_null("")
    if not len(client_urls):
        return hosts
    names = _host_names(attributes.strings(client_urls))
    after = client_urls > last[attributes.rows[client_urls]]
    usable = np.flatnonzero(after & np.asarray(pc.not_equal(names, "")))[::-1]
    first = np.full(attributes.count, -1, np.int64)
    first[attributes.rows[client_urls[usable]]] = usable
    fallback = names.take(pa.array(first, mask=first < 0)).fill_null("")
    return pc.if_else(pc.equal(hosts, ""), fallback, hosts)


def _response_status_codes(attributes: Attributes) -> pa.StringArray | None:
    codes = _hits(attributes, _STATUS_CODES, strings=False)
    hits = np.union1d(codes, _hits(attributes, _STATUS_TEXTS, strings=True))
    if not len(hits):
        return None
    last = _last(attributes, hits)
    texts = attributes.strings(last)
    distinct = pc.dictionary_encode(texts)
    numeric = pa.array([status_code_text(text) for text in distinct.dictionary.to_pylist()], pa.string())
    converted = pc.coalesce(attributes.member("int_value", last).cast(pa.string()), numeric.take(distinct.indices))
    is_code = np.isin(last, codes)
    result = pc.if_else(is_code, converted.fill_null("0"), texts)
    return pc.if_else(last < 0, "", result)
