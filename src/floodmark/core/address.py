"""The address of a server under test, taken apart once. No name is looked up here."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from floodmark.core.errors import UsageError

DEFAULT_PORTS = {"http": 80, "https": 443}
"""RFC 9110, sections 4.2.1 and 4.2.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where requests go: `host` a name or an IPv4 or IPv6 address without brackets, `path` with its query.

    `scheme` is http or https.
    """

    host: str
    port: int
    path: str = "/"
    scheme: str = "http"

    @property
    def is_secure(self) -> bool:
        """Requests go over TLS."""
        return self.scheme == "https"

    @property
    def origin(self) -> str:
        """Scheme, host and port, as a URL has them."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """``host:port`` as a Host header has it, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole as a URL."""
        return f"{self.origin}{self.path}"


def parse_url(url: str) -> Address:
    """The address in an ``http://`` or ``https://`` URL. Raises `UsageError` that names the part that does not fit."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{url!r} is not a URL: {error}") from None
    if "://" in url and parts.scheme not in DEFAULT_PORTS:
        raise UsageError(f"{url!r}: the scheme is {parts.scheme!r}; give one of {', '.join(DEFAULT_PORTS)}")
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise UsageError(f"{url!r} is not a URL with a host: write it as 'http://127.0.0.1:8000/path'")
    if port == 0:
        raise UsageError(f"{url!r}: port 0 cannot be connected to")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(host=parts.hostname, port=port or DEFAULT_PORTS[parts.scheme], path=path, scheme=parts.scheme)
