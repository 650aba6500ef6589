"""Where a line leads, whether over TLS, and how long that may take. It opens nothing."""

from dataclasses import dataclass
from ssl import SSLContext

from floodmark.engine.endpoint import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`tls` None for plain HTTP; `server_name` is what the certificate must be for.

    Both timeouts count from the start of an exchange: until connected, and until its answer is complete.
    """

    endpoint: Endpoint
    connect_timeout_s: float
    response_timeout_s: float
    tls: SSLContext | None = None
    server_name: str | None = None
