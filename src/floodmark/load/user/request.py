"""Renders requests of FloodUser: URL, fields and body into bytes. Nothing is sent here."""

import json as json_library
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from urllib3.filepost import encode_multipart_formdata

from floodmark.engine.request import SAFE

PORTS = {"http": 80, "https": 443}

Headers = dict[str, tuple[str, str]]
"""Lower-case name to the name as given and the value: a field of the same name replaces the one before."""

Data = str | bytes | bytearray | Mapping[str, Any] | None
Params = Mapping[str, Any] | Iterable[tuple[str, Any]] | str | None

_TARGET = re.compile(r"/[A-Za-z0-9%/?:@!$&'()*+,;=~._-]*")
"""Needs no quoting, and names no fragment."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A scheme, host and port: what a connection is for."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The Host field: without the port where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A URL taken apart: where to send, and the path and query to ask for.

    `authorization` is made of the credentials in the URL.
    """

    origin: Origin
    target: str
    authorization: str | None = None

    @property
    def url(self) -> str:
        """The whole, without credentials."""
        return f"{self.origin.scheme}://{self.origin.authority}{self.target}"


@lru_cache(maxsize=4096)  # places are a few hundred bytes, and the URLs of a load come again
def place_of(url: str) -> Place:
    """Takes a whole URL apart. Raises `ValueError` that names it."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{url!r} is not a URL: {error}") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError(f"{url!r} is not an http or https URL with a host; write it as 'http://127.0.0.1:8000/path'")
    authorization = None
    if parts.username and parts.password is not None:
        authorization = basic_auth(unquote(parts.username), unquote(parts.password))
    return Place(
        origin=_origin(parts.scheme, _ascii(parts.hostname), port or PORTS[parts.scheme]),
        target=target_of((parts.path or "/") + (f"?{parts.query}" if parts.query else "")),
        authorization=authorization,
    )


def target_of(path: str) -> str:
    """A path and query as they go over the wire: without fragment, and percent-encoded where they must be."""
    if _TARGET.fullmatch(path):
        return path
    return quote(path.partition("#")[0], safe=SAFE)


def with_params(url: str, params: Params) -> str:
    """Adds a query; values of None are left out."""
    query = params if isinstance(params, str) else urlencode(_pairs(params), doseq=True)
    if not query:
        return url
    before, hash_sign, fragment = url.partition("#")
    return before + ("&" if "?" in before else "?") + query + hash_sign + fragment


def _pairs(params: Mapping[str, Any] | Iterable[tuple[str, Any]] | None) -> list[tuple[str, Any]]:
    items = params.items() if isinstance(params, Mapping) else params or ()
    return [(name, value) for name, value in items if value is not None]


def basic_auth(user: str | bytes, password: str | bytes) -> str:
    """The value of Authorization (RFC 7617)."""
    raw = b":".join(part if isinstance(part, bytes) else part.encode("latin-1") for part in (user, password))
    return "Basic " + b64encode(raw).decode("ascii")


def put(headers: Headers, more: Mapping[str, str] | None) -> None:
    """Sets fields; those of the same name are replaced. Raises `ValueError` where one could end its line."""
    for name, value in (more or {}).items():
        text = str(value)
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(text):
            raise ValueError(
                f"header {name!r}: {text!r} is no header field; leave out line ends and control characters"
            )
        headers[name.lower()] = (name, text)


def own_headers(headers: Mapping[str, str] | None, auth: tuple[str | bytes, str | bytes] | None) -> Headers:
    """A request's own fields. Raises `ValueError` as `put` does."""
    own: Headers = {}
    put(own, headers)
    if auth:
        put(own, {"Authorization": basic_auth(*auth)})
    return own


def body_of(data: Data, json: Any, known: Headers) -> tuple[bytes, Headers]:
    """The body's bytes, and the fields that say what it is where `known` ones do not."""
    if not data:
        said = {"content-type": ("Content-Type", "application/json"), "accept": ("Accept", "application/json")}
        return json_library.dumps(json).encode(), {name: field for name, field in said.items() if name not in known}
    said = {} if "content-type" in known else {"content-type": ("Content-Type", _type_of(data))}
    if isinstance(data, Mapping):
        return urlencode(data).encode(), said
    return data.encode() if isinstance(data, str) else bytes(data), said


def form_of(data: Data, files: Any) -> tuple[bytes, Headers]:
    """A form with files (RFC 7578); `files` as FastHttpUser has them: name to file, or to (file name, file, ...)."""
    if isinstance(data, str | bytes | bytearray):
        raise TypeError("beside files, data must be form fields: a dict")
    fields = [*dict(data or {}).items(), *((name, _read(file)) for name, file in dict(files).items())]
    body, content_type = encode_multipart_formdata(fields)
    return body, {"content-type": ("Content-Type", content_type)}


def _read(file: Any) -> Any:
    if isinstance(file, tuple):
        name, content, *rest = file
        return (name, _content(content), *rest[:1])
    return getattr(file, "name", "file").rpartition("/")[2], _content(file)


def _content(file: Any) -> Any:
    return file.read() if hasattr(file, "read") else file


def _type_of(data: Data) -> str:
    if isinstance(data, Mapping):
        return "application/x-www-form-urlencoded; charset=utf-8"
    return "text/plain; charset=utf-8" if isinstance(data, str) else "application/octet-stream"


def head_of(headers: Headers) -> bytes:
    """The lines of a request after its first, with the empty one at the end."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.values())
    return (lines + "\r\n").encode("latin-1")


@lru_cache(maxsize=1024)
def _origin(scheme: str, host: str, port: int) -> Origin:
    """The same object for the same origin: who compares first by identity is nearly always right at once."""
    return Origin(scheme=scheme, host=host, port=port)


def _ascii(host: str) -> str:
    return host if host.isascii() else host.encode("idna").decode("ascii")
