"""An HTTP/1.1 response taken apart as it comes (RFC 9112). No socket, no clock, no judgement of what it says.

However the bytes are cut into pieces, the result is the same. Lines may end in LF alone (section 2.2), a field may go
on in a folded line (5.2), Transfer-Encoding goes before Content-Length (6.3). What comes after a complete response is
not read: it could as well have come after the connection was closed. `has_leftover` says that there is some.
"""

import re
from collections.abc import Callable

HEAD_LIMIT_BYTES = 65_536
"""The most bytes of status line and fields together, interim responses included; as many again for the trailers, and
for each chunk's size line. http.client refuses a single line above this."""

SWITCHING_PROTOCOLS = 101
"""The one 1xx that is final (RFC 9110, section 15.2.2)."""

FIRST_FINAL_STATUS = 200
BODILESS = frozenset({SWITCHING_PROTOCOLS, 204, 304})
"""Responses that end with their head, whatever was asked (RFC 9112, section 6.3); so does each to a HEAD."""

_BEGINNING = b"HTTP/1."
_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9]) ([1-9][0-9]{2})(?: ([^\x00\r]*))?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\x00\r]*)")
# 18 digits are less than 2**63, and 15 in hexadecimal: longer numbers are no sizes.
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00\r]*)?")
_WANTED = frozenset({b"content-length", b"transfer-encoding", b"server-timing"})


class MalformedResponseError(Exception):
    """The bytes are no HTTP/1.1 response. It never leaves the engine: it becomes a request's outcome."""


class ResponseParser:
    """One response. Feed it what was received until `complete`; `eof` where the peer closed.

    Once `feed` raised `MalformedResponseError` the parser is of no further use. `body` has the first `keep_bytes` of
    the body, `body_bytes` counts all of it. `status` is None until the head of the final response is complete.
    `fields` are the final response's, in order and as they came; they are kept only where `keeps_fields`.
    """

    __slots__ = (
        "_at",
        "_buffer",
        "_ends_with_head",
        "_fields",
        "_final",
        "_keep_bytes",
        "_keeps_fields",
        "_last_field",
        "_minor",
        "_reading",
        "_remaining",
        "_room",
        "_searched",
        "body",
        "body_bytes",
        "complete",
        "fields",
        "reason",
        "status",
    )

    def __init__(self, *, keep_bytes: int = 0, keeps_fields: bool = False, ends_with_head: bool = False) -> None:
        """`ends_with_head` for the response to a HEAD."""
        self.status: int | None = None
        self.reason = ""
        self.body = bytearray()
        self.body_bytes = 0
        self.complete = False
        self.fields: list[tuple[bytes, bytes]] = []
        self._keep_bytes = keep_bytes
        self._keeps_fields = keeps_fields
        self._ends_with_head = ends_with_head
        self._buffer = bytearray()
        self._at = 0  # what is before it is read
        self._searched = 0  # what is before it has no line end
        self._room = HEAD_LIMIT_BYTES
        self._final = (0, "")
        self._minor = b"0"  # of the HTTP version
        self._fields: dict[bytes, list[bytes]] = {}
        self._last_field: bytes | None = None
        self._remaining = 0
        self._reading: Callable[[ResponseParser], bool] = ResponseParser._read_status

    @property
    def server_timing(self) -> str:
        """The Server-Timing fields of the head, joined; empty where there are none."""
        return self._joined(b"server-timing").decode("latin-1")

    @property
    def has_leftover(self) -> bool:
        """More came than the response: what it belongs to nobody knows."""
        return self.complete and bool(self._buffer)

    @property
    def keeps_alive(self) -> bool:
        """The peer takes another request on this connection (RFC 9112, section 9.3). Known where `keeps_fields`."""
        if not self.complete or self.has_leftover or self.status == SWITCHING_PROTOCOLS:
            return False
        if self._reading is ResponseParser._read_until_close:
            return False
        named = b",".join(value for name, value in self.fields if name.lower() == b"connection").lower()
        options = [option.strip(b" \t") for option in named.split(b",")]
        return b"close" not in options and (self._minor != b"0" or b"keep-alive" in options)

    def feed(self, data: bytes) -> bool:
        """Takes the next bytes; True once the response is complete. Raises `MalformedResponseError`."""
        self._buffer += data
        while not self.complete and self._reading(self):
            pass
        del self._buffer[: self._at]
        self._searched = max(self._searched - self._at, 0)
        self._at = 0
        return self.complete

    def eof(self) -> bool:
        """The peer sends no more; True where that completes the response."""
        if self._reading is ResponseParser._read_until_close:
            self.complete = True
        return self.complete

    # Each of these reads one part, and says whether it got far enough for the next to begin.

    def _read_status(self) -> bool:
        beginning = self._buffer[self._at : self._at + len(_BEGINNING)]
        if not _BEGINNING.startswith(beginning):
            raise MalformedResponseError("the answer does not begin with HTTP/1.")
        line = self._take_line()
        if line is None:
            return False
        match = _STATUS_LINE.fullmatch(line)
        if match is None:
            raise MalformedResponseError("the status line is not one")
        self._minor = match[1]
        self._final = int(match[2]), (match[3] or b"").decode("latin-1").strip()
        self._fields = {}
        if self._keeps_fields:
            self.fields = []
        self._last_field = None
        self._reading = ResponseParser._read_fields
        return True

    def _read_fields(self) -> bool:
        while (line := self._take_line()) is not None:
            if not line:
                self._end_head()
                return True
            self._take_field(line)
        return False

    def _take_field(self, line: bytes) -> None:
        if line[0] in b" \t":
            self._fold(line)
            return
        match = _FIELD.fullmatch(line)
        if match is None:
            raise MalformedResponseError("a header line is not one")
        self._last_field = match[1].lower()
        if self._last_field in _WANTED:
            self._fields.setdefault(self._last_field, []).append(match[2].strip(b" \t"))
        if self._keeps_fields:
            self.fields.append((match[1], match[2].strip(b" \t")))

    def _fold(self, line: bytes) -> None:
        if self._last_field is None:
            raise MalformedResponseError("the first header line is indented")
        if self._last_field in self._fields:
            self._fields[self._last_field][-1] += b" " + line.strip(b" \t")
        if self._keeps_fields:
            name, value = self.fields[-1]
            self.fields[-1] = name, value + b" " + line.strip(b" \t")

    def _end_head(self) -> None:
        status, reason = self._final
        if status < FIRST_FINAL_STATUS and status != SWITCHING_PROTOCOLS:
            self._reading = ResponseParser._read_status
            return
        self.status, self.reason = status, reason
        if self._ends_with_head or status in BODILESS:
            self.complete = True
        elif codings := self._codings():
            is_chunked = codings[-1] == b"chunked"
            self._reading = ResponseParser._read_chunk_size if is_chunked else ResponseParser._read_until_close
            self._room = HEAD_LIMIT_BYTES
        elif b"content-length" in self._fields:
            self._remaining = self._length()
            self._reading = ResponseParser._read_length
        else:
            self._reading = ResponseParser._read_until_close

    def _codings(self) -> list[bytes]:
        """The transfer codings; "identity", which RFC 2616 had, is none."""
        named = self._joined(b"transfer-encoding").lower().split(b",")
        return [coding for coding in (name.strip(b" \t") for name in named) if coding not in (b"", b"identity")]

    def _joined(self, name: bytes) -> bytes:
        """A field's values as one; empty where there is none (RFC 9110, section 5.3)."""
        return b", ".join(self._fields.get(name, ()))

    def _length(self) -> int:
        """The body's length; said more than once it must be the same (RFC 9112, section 6.3)."""
        values = {value.strip(b" \t") for value in self._joined(b"content-length").split(b",")}
        value = values.pop()
        if values or not _LENGTH.fullmatch(value):
            raise MalformedResponseError("Content-Length is not one number")
        return int(value)

    def _read_length(self) -> bool:
        self._remaining -= self._take_body(self._remaining)
        self.complete = not self._remaining
        return False

    def _read_until_close(self) -> bool:
        self._take_body(len(self._buffer))
        return False

    def _read_chunk_size(self) -> bool:
        line = self._take_line()
        if line is None:
            return False
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            raise MalformedResponseError("a chunk's size is not one")
        self._remaining = int(match[1], 16)
        self._room = HEAD_LIMIT_BYTES
        self._reading = ResponseParser._read_chunk if self._remaining else ResponseParser._read_trailers
        return True

    def _read_chunk(self) -> bool:
        self._remaining -= self._take_body(self._remaining)
        if self._remaining:
            return False
        self._reading = ResponseParser._read_chunk_end
        return True

    def _read_chunk_end(self) -> bool:
        ending = bytes(self._buffer[self._at : self._at + 2])
        if ending in (b"", b"\r"):
            return False
        if ending != b"\r\n" and ending[:1] != b"\n":
            raise MalformedResponseError("a chunk is longer than its size")
        self._at += ending.index(b"\n") + 1
        self._searched = self._at
        self._reading = ResponseParser._read_chunk_size
        return True

    def _read_trailers(self) -> bool:
        while (line := self._take_line()) is not None:
            if not line:
                self.complete = True
                return False
            if line[0] not in b" \t" and not _FIELD.fullmatch(line):
                raise MalformedResponseError("a trailer line is not one")
        return False

    def _take_line(self) -> bytes | None:
        """The next line without its end; None where its end has not come yet."""
        end = self._buffer.find(b"\n", self._searched)
        size_bytes = (len(self._buffer) if end < 0 else end + 1) - self._at
        if size_bytes > self._room:
            raise MalformedResponseError(f"header lines of more than {HEAD_LIMIT_BYTES} bytes")
        if end < 0:
            self._searched = len(self._buffer)
            return None
        line = bytes(self._buffer[self._at : end])
        self._room -= size_bytes
        self._at = self._searched = end + 1
        return line.removesuffix(b"\r")

    def _take_body(self, limit_bytes: int) -> int:
        """Reads up to `limit_bytes` of body; how many there were."""
        end = min(self._at + limit_bytes, len(self._buffer))
        kept_end = min(end, self._at + self._keep_bytes - len(self.body))
        if kept_end > self._at:
            self.body += self._buffer[self._at : kept_end]
        size_bytes = end - self._at
        self.body_bytes += size_bytes
        self._at = end
        return size_bytes
