"""Bodies: chunks, compression, limits."""

import gzip
import io
import random
import zlib
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.web.body import Malformed, TooLarge, body_length, decompress, read_chunked, read_sized


def zstd(body: bytes) -> bytes:
    packed: bytes = pa.Codec("zstd").compress(body, asbytes=True)
    return packed


PACK = {"gzip": gzip.compress, "deflate": zlib.compress, "zlib": zlib.compress, "zstd": zstd}


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


@given(st.lists(st.binary(min_size=1, max_size=300_000), max_size=5))
def test_chunks_are_put_together(chunks: list[bytes]) -> None:
    stream = io.BytesIO(chunked(*chunks) + b"NEXT")
    whole = b"".join(chunks)
    assert read_chunked(stream, len(whole)) == whole
    assert stream.read() == b"NEXT"


@given(st.binary(max_size=300_000), st.sampled_from(sorted(PACK)))
def test_compressed_bodies_come_out_whole(body: bytes, encoding: str) -> None:
    assert decompress(PACK[encoding](body), encoding, len(body)) == body


def test_extensions_and_trailers_of_chunks_are_passed_over() -> None:
    stream = io.BytesIO(b"3;name=value\r\nabc\r\n0\r\nChecksum: 1\r\n\r\nNEXT")
    assert read_chunked(stream, 3) == b"abc"
    assert stream.read() == b"NEXT"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x\r\nabc\r\n0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"+3\r\nabc\r\n0\r\n\r\n",
        b" 3\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"0_3\r\nabc\r\n0\r\n\r\n",
        b"\xd9\xa3\r\nabc\r\n0\r\n\r\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3\r\nab",
        b"3\nabc\r\n0\r\n\r\n",
        b"3\r\nabc\r\n0\r\n" + b"a: b\r\n" * 100,
        b"9" * 10_000,
    ],
)
def test_broken_chunks_are_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read_chunked(io.BytesIO(body), 1000)


def test_a_body_that_ends_early_is_malformed() -> None:
    with pytest.raises(Malformed, match="7 bytes too early"):
        read_sized(io.BytesIO(b"abc"), 10, 10)


@pytest.mark.parametrize("text", ["-1", "+3", "1_0", "0x3", "3 ", "3, 3", "3.0", "\u0663", "9" * 5000])
def test_only_digits_are_a_length(text: str) -> None:
    with pytest.raises(Malformed, match="not a number of bytes"):
        body_length(text)


def test_a_length_may_be_left_out() -> None:
    assert (body_length(""), body_length("0"), body_length("0017")) == (0, 0, 17)


def test_limits_hold_before_anything_is_read() -> None:
    stream = io.BytesIO(b"7fffffffffffffff\r\nabc")
    with pytest.raises(TooLarge):
        read_chunked(stream, 1000)
    assert stream.read() == b"abc"
    stream = io.BytesIO(b"abc")
    with pytest.raises(TooLarge):
        read_sized(stream, 2**62, 1000)
    assert stream.read() == b"abc"


def test_many_small_chunks_meet_the_same_limit() -> None:
    assert len(read_chunked(io.BytesIO(chunked(*[b"ab"] * 500)), 1000)) == 1000
    with pytest.raises(TooLarge):
        read_chunked(io.BytesIO(chunked(*[b"ab"] * 501)), 1000)


@pytest.mark.parametrize("encoding", sorted(PACK))
@pytest.mark.parametrize("size", [0, 1, 1000, 3_000_000])
def test_the_limit_is_on_the_decompressed_bytes(size: int, encoding: str) -> None:
    packed = PACK[encoding](bytes(size + 1))
    assert decompress(packed, encoding, size + 1) == bytes(size + 1)
    with pytest.raises(TooLarge):
        decompress(packed, encoding, size)


def test_gzip_may_have_several_members() -> None:
    """RFC 1952: what `cat a.gz b.gz` and packers that work on several parts at once make."""
    parts = [b"a" * 3_000_000, b"", b"b", random.Random(1).randbytes(2_000_000)]
    body = b"".join(map(gzip.compress, parts))
    size = sum(map(len, parts))
    assert decompress(body, "gzip", size) == b"".join(parts)
    with pytest.raises(TooLarge):
        decompress(body, "gzip", size - 1)
    for broken in (body[:-1], body + b"x", body + gzip.compress(b"c")[:-1]):
        with pytest.raises(Malformed):
            decompress(broken, "gzip", size + 1)


def test_gzip_may_not_have_members_without_end() -> None:
    with pytest.raises(Malformed, match="ends too late"):
        decompress(gzip.compress(b"") * 5000, "gzip", 1000)


def test_zlib_has_one_member() -> None:
    with pytest.raises(Malformed, match="ends too late"):
        decompress(zlib.compress(b"a") * 2, "zlib", 1000)


@pytest.mark.parametrize("encoding", sorted(PACK))
@pytest.mark.parametrize(
    "break_", [lambda _: b"", lambda _: b"plain text", lambda body: body[:-1], lambda body: body + b"x"]
)
def test_broken_compression_is_malformed(break_: Callable[[bytes], bytes], encoding: str) -> None:
    with pytest.raises(Malformed):
        decompress(break_(PACK[encoding](b"abc")), encoding, 1000)
