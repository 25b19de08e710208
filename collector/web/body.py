"""Reads the body of an HTTP request without ever holding more than the limit, compressed or not."""

import re
import zlib
from collections.abc import Iterator
from typing import Protocol

import pyarrow as pa

_PIECE = 64 * 1024
_UNPACKED = 1024**2
_MOST_MEMBERS = 4096
LONGEST_LINE = 4096
"""Bytes of the line before a chunk, or of one behind the last."""
_MOST_TRAILERS = 64
_WINDOWS = {"gzip": 31, "deflate": 15, "zlib": 15}
ENCODINGS = ("identity", *_WINDOWS, "zstd")
_DECIMAL = re.compile(r"[0-9]{1,20}")
_HEXADECIMAL = re.compile(rb"[0-9A-Fa-f]{1,16}")


class TooLarge(Exception):
    """Says that a body is larger than the limit, as sent or after decompression."""


class Malformed(Exception):
    """Says that a body is not what its headers promise."""


class Stream(Protocol):
    """Is the part of a buffered binary file that bodies are read with."""

    def read(self, size: int, /) -> bytes:
        """Return up to *size* bytes, fewer only at the end."""

    def readline(self, size: int, /) -> bytes:
        """Return up to *size* bytes, the line end included."""


def body_length(text: str) -> int:
    """Return what a Content-Length says, 0 where there is none; raise Malformed for all but digits."""
    if text and not _DECIMAL.fullmatch(text):
        raise Malformed(f"Content-Length {text:.20} is not a number of bytes")
    return int(text or 0)


def read_sized(stream: Stream, length: int, limit: int) -> bytes:
    """Return the *length* bytes of a body with Content-Length; raise TooLarge or Malformed."""
    if length > limit:
        raise TooLarge(f"the body is {length} bytes long, more than the {limit} allowed")
    return b"".join(_pieces(stream, length))


def read_chunked(stream: Stream, limit: int) -> bytes:
    """Return a body sent with Transfer-Encoding: chunked, trailers dropped; raise TooLarge or Malformed."""
    body = bytearray()
    while size := chunk_size(_line(stream)):
        if len(body) + size > limit:
            raise TooLarge(f"the body is longer than the {limit} bytes allowed")
        for piece in _pieces(stream, size):
            body += piece
        if _line(stream):
            raise Malformed("a chunk is longer than its size says")
    for _ in range(_MOST_TRAILERS):
        if not _line(stream):
            return bytes(body)
    raise Malformed("the trailer has too many lines")


def decompress(body: bytes, encoding: str, limit: int) -> bytes:
    """Return the body without its Content-Encoding, one of `ENCODINGS`; raise TooLarge or Malformed."""
    if encoding == "identity":
        return body
    if encoding == "zstd":
        return _from_zstd(body, limit)
    try:
        return b"".join(_inflated(body, encoding, limit))
    except zlib.error as error:
        raise Malformed(f"the body is not {encoding}: {error}") from error


def _inflated(body: bytes, encoding: str, limit: int) -> Iterator[bytes]:
    """Yield the pieces of a body; one in gzip may be of several members, each compressed for itself."""
    inflater = zlib.decompressobj(_WINDOWS[encoding])
    view, start, members, left = memoryview(body), 0, 1, limit + 1
    while start < len(view) or not inflater.eof:
        if start == len(view):
            raise Malformed(f"the {encoding} body ends too early")
        if inflater.eof:
            if encoding != "gzip" or members == _MOST_MEMBERS:
                raise Malformed(f"the {encoding} body ends too late")
            inflater, members = zlib.decompressobj(_WINDOWS[encoding]), members + 1
        packed = view[start : start + _UNPACKED]
        piece = inflater.decompress(packed, left)
        start += len(packed) - len(inflater.unused_data)
        left -= len(piece)
        if not left:
            raise TooLarge(f"the body is longer than the {limit} bytes allowed once decompressed")
        yield piece


def _from_zstd(body: bytes, limit: int) -> bytes:
    if not body:
        raise Malformed("the zstd body ends too early")
    plain = bytearray()
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as inflater:
            while len(plain) <= limit and (piece := inflater.read(min(_UNPACKED, limit + 1 - len(plain)))):
                plain += piece
    except OSError as error:
        raise Malformed(f"the body is not zstd: {error}") from error
    if len(plain) > limit:
        raise TooLarge(f"the body is longer than the {limit} bytes allowed once decompressed")
    return bytes(plain)


def _pieces(stream: Stream, length: int) -> Iterator[bytes]:
    while length:
        piece = stream.read(min(length, _PIECE))
        if not piece:
            raise Malformed(f"the body ends {length} bytes too early")
        length -= len(piece)
        yield piece


def _line(stream: Stream) -> bytes:
    line = stream.readline(LONGEST_LINE)
    if not line.endswith(b"\r\n"):
        raise Malformed("a line of the chunked body is too long or cut off")
    return line[:-2]


def chunk_size(line: bytes) -> int:
    """Return what the line before a chunk says of its size; raise Malformed for all but hexadecimal digits."""
    digits = line.partition(b";")[0].rstrip(b" \t")
    if not _HEXADECIMAL.fullmatch(digits):
        raise Malformed(f"{line[:20]!r} is not the size of a chunk")
    return int(digits, 16)
