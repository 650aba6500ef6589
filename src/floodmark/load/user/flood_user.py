"""A Locust user whose `client` is served by the engine. What a request is and does is ``session``'s."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from ssl import SSLContext
from typing import Any

from gevent import Greenlet
from gevent.pool import Group
from locust import User
from locust.exception import StopTest
from locust.user.users import RestMixin

from floodmark.core.errors import UsageError
from floodmark.core.source import parse_sources
from floodmark.load.user.home import Settings
from floodmark.load.user.session import FloodSession

NOT_TAKEN = {
    "max_retries": "one call is one request here; repeat the call where you mean to",
    "proxy_host": "it goes straight to the server; remove the line",
    "proxy_port": "it goes straight to the server; remove the line",
    "client_pool": "each user has connections of its own; remove the line",
}
"""FastHttpUser's attributes that would mean something else here, and what to do instead."""


class FloodUser(User, RestMixin[Any]):
    """As `FastHttpUser`, on one epoll for all users of the process.

    Change the attributes in a subclass. Both timeouts count from the call: until the connection is there, and until the
    answer is complete. Unlike FastHttpUser it verifies certificates unless `insecure`. Connections of all users come
    from `sources` in turn, addresses of this machine ("127.0.0.2-127.0.0.9"); none: from the kernel's choice.
    """

    abstract = True

    connection_timeout: float = 60.0
    network_timeout: float = 60.0
    max_redirects: int = 30
    insecure: bool = False
    default_headers: Mapping[str, str] | None = None
    concurrency: int = 10
    ssl_context_factory: Callable[[], SSLContext] | None = None
    sources: str | tuple[str, ...] = ()

    def __init__(self, environment: Any) -> None:
        """Makes the client. Raises `StopTest` where there is no host to send to, or a setting that cannot be kept."""
        super().__init__(environment)
        if self.host is None:
            raise StopTest("no host to send requests to: set `host` in the user's class, or give --host")
        for name, remedy in NOT_TAKEN.items():
            if getattr(self, name, None):
                raise StopTest(f"{name} = {getattr(self, name)!r}: FloodUser does not have it: {remedy}")
        settings = Settings(
            insecure=self.insecure,
            default_headers=tuple((self.default_headers or {}).items()),
            connection_timeout_s=self.connection_timeout,
            network_timeout_s=self.network_timeout,
            max_redirects=self.max_redirects,
            concurrency=self.concurrency,
            ssl_context_factory=self.ssl_context_factory,
            sources=_addresses(self.sources if isinstance(self.sources, str) else ",".join(self.sources)),
        )
        self.client = FloodSession(self.host, self.environment.events.request, self, settings)

    def start(self, group: Group) -> Greenlet:
        """Starts the user as Locust does; its connections are closed at its end."""
        greenlet: Greenlet = super().start(group)
        greenlet.rawlink(self._hang_up)
        return greenlet

    def _hang_up(self, _: Greenlet) -> None:
        self.client.close()


@lru_cache(maxsize=16)  # the same for all users of a class
def _addresses(sources: str) -> tuple[str, ...]:
    """The addresses in addresses, ranges and networks."""
    try:
        return parse_sources(sources)
    except UsageError as error:
        raise StopTest(f"sources = {sources!r}: {error}") from None
