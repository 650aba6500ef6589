"""Heads of the plain kind, taken apart at once, and remembered. What a head means otherwise is ``response``'s to say.

Most heads have lines that end in CRLF, none of them folded, and one Content-Length: those are read here, in a third of
the parser's time. A server says the same head again and again, at least until its Date changes: looking its bytes up
costs a tenth. Whatever is not plain, or not all there, is the parser's.
"""

import re
from dataclasses import dataclass

from floodmark.engine.exchange import Fields, Head
from floodmark.engine.response import BODILESS, ResponseParser

KEPT_HEADS = 256
"""More than the differing answers of most servers within one second, of which Date makes new ones."""

LONGEST_HEAD_BYTES = 4_096
"""256 of them are a megabyte. A longer head is the parser's."""

END = b"\r\n\r\n"
END_BYTES = len(END)

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_HEAD = re.compile(
    rb"HTTP/1\.([0-9]) ([2-9][0-9]{2})(?: ([^\x00\r\n]*))?\r\n(?:" + _TOKEN + rb":[^\x00\r\n]*\r\n)*\r\n"
)
_FIELD = re.compile(rb"\n(" + _TOKEN + rb"):[ \t]*([^\r]*)")
_LENGTH = re.compile(rb"[0-9]{1,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownHead:
    """What a head says to anything but a HEAD; `body_bytes` follow it."""

    head: Head
    body_bytes: int
    keeps_alive: bool


class KnownHeads:
    """Heads by their bytes, up to and with their first empty line."""

    def __init__(self) -> None:
        self._by_bytes: dict[bytes, KnownHead] = {}
        self.find = self._by_bytes.get

    def read(self, data: bytes) -> KnownHead | None:
        """Takes a head apart and remembers it; None where it is not plain."""
        known = read_plain(data)
        if known is not None:
            if len(self._by_bytes) >= KEPT_HEADS:
                self._by_bytes.clear()
            self._by_bytes[data] = known
        return known


def read_plain(data: bytes) -> KnownHead | None:
    """What a plain head says; None where it is another, or none."""
    match = _HEAD.fullmatch(data) if len(data) <= LONGEST_HEAD_BYTES else None
    if match is None:
        return None
    minor, status, reason = match.groups(b"")
    fields = tuple([(name, value.rstrip(b" \t")) for name, value in _FIELD.findall(data)])
    values = {name.lower(): value for name, value in fields}
    length = b"0" if int(status) in BODILESS else values.get(b"content-length", b"")
    is_alone = len(values) == len(fields)  # else a Content-Length or a Connection may be there twice
    if not is_alone or b"transfer-encoding" in values or not _LENGTH.fullmatch(length):
        return None
    head = Head(status=int(status), reason=reason.decode("latin-1").strip(), fields=fields, names=frozenset(values))
    options = [option.strip(b" \t") for option in values.get(b"connection", b"").lower().split(b",")]
    keeps_alive = b"close" not in options and (minor != b"0" or b"keep-alive" in options)
    return KnownHead(head=head, body_bytes=int(length), keeps_alive=keeps_alive)


def head_of(parser: ResponseParser) -> Head:
    """The head of an answer that is complete."""
    fields: Fields = tuple(parser.fields)
    names = frozenset(name.lower() for name, _ in fields)
    return Head(status=parser.status or 0, reason=parser.reason, fields=fields, names=names)
