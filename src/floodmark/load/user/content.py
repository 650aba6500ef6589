"""Content codings of an answer's body, by zlib. Transfer codings are the engine's."""

import zlib

ACCEPTED = "gzip, deflate"

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS


class ContentError(Exception):
    """The body is not what its Content-Encoding says, or that is none of `ACCEPTED`."""


def decode(body: bytes, coding: str) -> bytes:
    """The body without its coding. An empty body has none: the answer to a HEAD names the coding too."""
    name = coding.strip().lower()
    if not body or name in ("", "identity"):
        return body
    if name not in ("gzip", "x-gzip", "deflate"):
        raise ContentError(f"Content-Encoding {coding!r} is not one of {ACCEPTED}")
    try:
        return _inflate(body, name)
    except zlib.error as error:
        raise ContentError(f"the body is not {name}: {error}") from None


def _inflate(body: bytes, name: str) -> bytes:
    try:
        return zlib.decompress(body, _GZIP_OR_ZLIB)
    except zlib.error:
        if name != "deflate":
            raise
        return zlib.decompress(body, _RAW)  # what some servers take "deflate" for
