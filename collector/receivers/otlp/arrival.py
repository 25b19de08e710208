"""Tells when the whole of an HTTP request is here, so that no worker waits for a client that is slow or gone.

    head, then    Content-Length: n      n bytes
                  Transfer-Encoding      chunks up to one of size 0, then lines up to an empty one
                  neither                nothing

What is broken, or longer than the limit, counts as whole: whoever reads it then says what is wrong.
"""

import re

from collector.web.body import LONGEST_LINE, Malformed, chunk_size

_END_OF_HEAD = re.compile(rb"\n\r?\n")
_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*([0-9]{1,18})[ \t]*(?=\r\n)", re.IGNORECASE)
_ENCODING = re.compile(rb"\r\ntransfer-encoding[ \t]*:[ \t]*([^\r]*)", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect[ \t]*:[ \t]*100-continue[ \t]*\r\n", re.IGNORECASE)


class Arrival:
    """Follows one request from its first byte on."""

    def __init__(self, head_limit: int, body_limit: int) -> None:
        self._head_limit = head_limit
        self._body_limit = body_limit
        self._unread = bytearray()
        """What is not understood yet: the head, or the line before a chunk."""
        self._in_head = True
        self._chunked = False
        self._in_trailer = False
        self._missing = 0
        """Bytes of the body, or of a chunk, that are still to come."""
        self._body = 0
        self.whole = False
        self.expects_a_word = False
        """Whether the client waits to be told that it may send the body."""

    def feed(self, piece: bytes) -> None:
        """Take note of the next bytes."""
        if self._in_head:
            self._unread += piece
            found = _END_OF_HEAD.search(self._unread, max(0, len(self._unread) - len(piece) - 2))
            if not found:
                self.whole = len(self._unread) > self._head_limit
                return
            head, piece = bytes(self._unread[: found.end()]), bytes(self._unread[found.end() :])
            del found  # it holds on to the buffer
            self._unread.clear()
            self._understand(head)
        if self._chunked:
            self._pass_chunks(piece)
        elif not self.whole:
            self._missing -= len(piece)
            self.whole = self._missing <= 0
        self.expects_a_word = self.expects_a_word and not self.whole

    def _understand(self, head: bytes) -> None:
        self._in_head = False
        lengths, encodings = _LENGTH.findall(head), _ENCODING.findall(head)
        self._chunked = [encoding.strip().lower() for encoding in encodings] == [b"chunked"]
        self._missing = int(lengths[0]) if lengths and not encodings else 0
        self.whole = len(lengths) > 1 or self._missing > self._body_limit or (bool(encodings) and not self._chunked)
        self.expects_a_word = bool(_EXPECTS.search(head))

    def _pass_chunks(self, piece: bytes) -> None:
        """Pass over the chunks in *piece*."""
        place = 0
        while place < len(piece) and not self.whole:
            passed = min(self._missing, len(piece) - place)
            self._missing -= passed
            place += passed
            if self._missing == 0 and place < len(piece):
                end = piece.find(b"\n", place) + 1 or len(piece)
                self._unread += piece[place:end]
                place = end
                if self._unread.endswith(b"\n"):
                    self._pass_line(bytes(self._unread))
                    self._unread.clear()
                self.whole = self.whole or len(self._unread) > LONGEST_LINE

    def _pass_line(self, line: bytes) -> None:
        if self._in_trailer:
            self.whole = not line.strip()
            return
        try:
            size = chunk_size(line.rstrip(b"\r\n"))
        except Malformed:
            self.whole = True
            return
        self._in_trailer = size == 0
        self._missing = size + 2 if size else 0
        self._body += size
        self.whole = self._body > self._body_limit
