"""What a FloodUser's host and settings come to: made once for all users that have the same. Nothing is sent here."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ssl import SSLContext

from floodmark import __version__
from floodmark.engine.dial import Dial
from floodmark.engine.route import Route
from floodmark.engine.tls import tls_context
from floodmark.load.user.content import ACCEPTED
from floodmark.load.user.hub_client import HubClient
from floodmark.load.user.request import Headers, Origin, Place, head_of, place_of, put


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a FloodUser's class attributes say of its client."""

    insecure: bool = False
    default_headers: tuple[tuple[str, str], ...] = ()
    connection_timeout_s: float = 60.0
    network_timeout_s: float = 60.0
    max_redirects: int = 30
    concurrency: int = 10
    ssl_context_factory: Callable[[], SSLContext] | None = None
    sources: tuple[str, ...] = ()


class FloodHome:
    """One server, and what every request to it has. `tail` is all of a plain request after its first line.

    `base_url` is as it was given, but for the credentials: those are in `authorization`.
    """

    def __init__(self, base_url: str, settings: Settings) -> None:
        """`base_url` may have credentials and a path. `ValueError` for a wrong one."""
        place = place_of(base_url)
        scheme, separator, rest = base_url.partition("://")
        authority, slash, path = rest.partition("/")
        self.base_url = scheme + separator + authority.rpartition("@")[2] + slash + path
        self.settings = settings
        self.origin = place.origin
        self.authorization = place.authorization
        self.headers: Headers = {}
        put(self.headers, {"User-Agent": f"floodmark/{__version__}"})
        put(self.headers, dict(settings.default_headers))
        self.tail = self.render_tail(place, {}, None)
        self._routes: dict[Origin, Route] = {}

    def render_tail(self, place: Place, extra: Headers, cookie: str | None) -> bytes:
        """All after the first line of a request with these fields beside its own, but for its body."""
        headers = {
            "host": ("Host", place.origin.authority),
            **self.headers,
            "accept-encoding": ("Accept-Encoding", ACCEPTED),
        }
        authorization = place.authorization or (self.authorization if place.origin == self.origin else None)
        if authorization:
            headers["authorization"] = ("Authorization", authorization)
        headers |= extra
        if cookie:
            headers["cookie"] = ("Cookie", cookie)
        return head_of(headers)

    def route(self, client: HubClient, origin: Origin) -> Route:
        """The way to a server, its name looked up at the first call. Raises `UsageError` where there is none.

        Each call has TLS settings of its own where the user's class makes them.
        """
        route = self._routes.get(origin)
        if route is None:
            route = self._make_route(client, origin)
            if not self.settings.ssl_context_factory:
                route = self._routes.setdefault(origin, route)  # thousands may have waited for the same look-up
        return route

    def _make_route(self, client: HubClient, origin: Origin) -> Route:
        settings, factory = self.settings, self.settings.ssl_context_factory
        endpoint = client.endpoint(origin.host, origin.port)
        tls = None
        if origin.scheme == "https":
            tls = factory() if factory else tls_context(verify=not settings.insecure)
        return Route(
            dial=Dial(
                endpoint=endpoint,
                sources=settings.sources,
                tls=tls,
                server_name=endpoint.server_name if tls else None,
            ),
            connect_timeout_s=settings.connection_timeout_s,
            response_timeout_s=settings.network_timeout_s,
        )


@lru_cache(maxsize=256)  # users of one run have a few hosts; and where each has its own, nothing is shared
def home_of(base_url: str, settings: Settings) -> FloodHome:
    """The same object for the same host and settings."""
    return FloodHome(base_url, settings)
