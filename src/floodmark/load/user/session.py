"""The client of one FloodUser: Locust's way to send requests, on the engine. Waiting is ``hub_client``'s business."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin

from locust import User

from floodmark.core.errors import UsageError
from floodmark.core.outcomes import Outcome
from floodmark.engine.exchange import Exchange
from floodmark.load.user.content import ContentError, decode
from floodmark.load.user.cookies import FloodCookies
from floodmark.load.user.error import RequestFailedError
from floodmark.load.user.home import Settings, home_of
from floodmark.load.user.hub_client import hub_client
from floodmark.load.user.line_pool import LinePool
from floodmark.load.user.request import (
    Data,
    Headers,
    Origin,
    Params,
    Place,
    body_of,
    form_of,
    own_headers,
    place_of,
    with_params,
)
from floodmark.load.user.response import FloodResponse

GOOD = frozenset({200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 301, 302, 303, 304, 307, 308})
"""FastHttpUser's, so that both count the same failures."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})
KEEPS_METHOD = frozenset({307, 308})
"""RFC 9110, section 15.4: the others turn into a GET without body, of which every browser and FastHttpUser make use."""

FIRST_SERVER_ERROR = 500

HAS_BODY = frozenset({"POST", "PUT", "PATCH"})
"""Methods that say Content-Length also where the body is empty (RFC 9110, section 8.6)."""

COOKIE_FIELDS = frozenset({b"set-cookie", b"set-cookie2"})
SPECIAL_FIELDS = COOKIE_FIELDS | {b"content-encoding"}
MS_PER_S = 1_000

_NO_HEADERS: Headers = {}
"""Never written to: most requests have none of their own."""

SHOWN_CHARACTERS = 100
"""How much of a redirect's target an error repeats."""


class _Order:
    """A request to be sent; a redirect changes it. `headers` are those it has beside every request's."""

    __slots__ = ("body", "headers", "method", "place", "url")

    def __init__(self, method: str, url: str, place: Place) -> None:
        self.method = method
        self.url = url
        self.place = place
        self.headers: Headers = _NO_HEADERS
        self.body = b""

    def fill(self, body: bytes, headers: Headers) -> None:
        """Sets the body, and the headers that say what it is."""
        self.body = body
        self.headers = self.headers | headers


class FloodSession:
    """Sends one user's requests. One call is one request on one connection; it never sends anything twice."""

    def __init__(self, base_url: str, request_event: Any, user: Any = None, settings: Settings | None = None) -> None:
        """`request_event` is Locust's; `base_url` may have credentials and a path. `ValueError` for a wrong one."""
        self._home = home = home_of(base_url, settings or Settings())
        self.base_url = home.base_url
        self.request_event = request_event
        self.user = user
        self.request_name: str | None = None
        self._has_context = user is not None and type(user).context is not User.context  # else it is always empty
        self._client = hub_client()
        self._cookies: FloodCookies | None = None
        self._pool: LinePool | None = None  # of the home's origin
        self._pools: dict[Origin, LinePool] | None = None  # of others, where redirects or whole URLs lead

    @property
    def cookiejar(self) -> FloodCookies:
        """This user's cookies."""
        if self._cookies is None:
            self._cookies = FloodCookies()
        return self._cookies

    def request(  # noqa: PLR0913, PLR0917 - Locust's own signature
        self,
        method: str,
        url: str,
        name: str | None = None,
        data: Data = None,
        catch_response: bool = False,  # noqa: FBT001, FBT002 - the same
        stream: bool = False,  # noqa: ARG002, FBT001, FBT002 - the same; the body is always read whole
        headers: Mapping[str, str] | None = None,
        auth: tuple[str | bytes, str | bytes] | None = None,
        json: Any = None,
        allow_redirects: bool = True,  # noqa: FBT001, FBT002 - the same
        context: Mapping[str, Any] | None = None,
        params: Params = None,
        files: Any = None,
        max_redirects: int | None = None,
    ) -> FloodResponse:
        """Sends a request and returns its answer, or what came instead of one; raises for neither.

        The arguments are FastHttpUser's. Raises `ValueError` for what cannot be sent: a wrong URL or header.
        """
        built_url = (
            url if url[:1] != "/" and url[:8].lower().startswith(("http://", "https://")) else self.base_url + url
        )
        start_time = time.time()
        place = place_of(built_url if params is None else with_params(built_url, params))
        order = _Order(method, built_url, place)
        if headers or auth:
            order.headers = own_headers(headers, auth)
        if files:
            order.fill(*form_of(data, files))
        elif data or json is not None:
            # As FastHttpUser: what every request says of its content gives way to JSON, and to nothing else.
            order.fill(*body_of(data, json, self._home.headers | order.headers if data else order.headers))
        response = self._send(order)
        if response.status_code in REDIRECTS and allow_redirects:
            limit = self._home.settings.max_redirects if max_redirects is None else max_redirects
            response = self._follow(order, response, limit)
        if self._has_context:
            context = {**self.user.context(), **context} if context else self.user.context()
        report = self.request_event.fire
        if catch_response:
            report = response.catch(report)
        report(
            request_type=method,
            name=name or self.request_name or url,
            context=context or {},
            exception=response.error,
            start_time=start_time,
            url=built_url,
            response=response,
            response_length=len(response.content) if response.content else 0,
            response_time=response.took_s * MS_PER_S,
        )
        return response

    def get(self, url: str, **kwargs: Any) -> FloodResponse:
        """Sends a GET."""
        return self.request("GET", url, **kwargs) if kwargs else self.request("GET", url)

    def head(self, url: str, **kwargs: Any) -> FloodResponse:
        """Sends a HEAD."""
        return self.request("HEAD", url, **kwargs)

    def options(self, url: str, **kwargs: Any) -> FloodResponse:
        """Sends an OPTIONS."""
        return self.request("OPTIONS", url, **kwargs)

    def delete(self, url: str, **kwargs: Any) -> FloodResponse:
        """Sends a DELETE."""
        return self.request("DELETE", url, **kwargs)

    def post(self, url: str, data: Data = None, json: Any = None, **kwargs: Any) -> FloodResponse:
        """Sends a POST."""
        return self.request("POST", url, data=data, json=json, **kwargs)

    def put(self, url: str, data: Data = None, **kwargs: Any) -> FloodResponse:
        """Sends a PUT."""
        return self.request("PUT", url, data=data, **kwargs)

    def patch(self, url: str, data: Data = None, **kwargs: Any) -> FloodResponse:
        """Sends a PATCH."""
        return self.request("PATCH", url, data=data, **kwargs)

    def iter_lines(self, url: str, method: str = "GET", **kwargs: Any) -> Iterator[str]:
        """The lines of an answer's text; raises the failure, if it is one."""
        response = self.request(method, url, **kwargs)
        response.raise_for_status()
        yield from (response.text or "").splitlines()

    @contextmanager
    def rename_request(self, name: str) -> Iterator[None]:
        """Names the requests in a with-block, where they have no name of their own."""
        self.request_name = name
        try:
            yield
        finally:
            self.request_name = None

    def close(self) -> None:
        """Closes its connections; the next request opens one again."""
        if self._pool is not None:
            self._pool.close()
        for pool in (self._pools or {}).values():
            pool.close()

    def __del__(self) -> None:
        # A user that was made and never run has nobody who closes; and an __init__ that raised has no pools.
        if hasattr(self, "_pools"):
            self.close()

    # What a request is made of.

    def _render(self, order: _Order) -> bytes:
        home, cookies = self._home, self._cookies
        line = f"{order.method} {order.place.target} HTTP/1.1\r\n".encode("ascii")
        has_cookies = cookies is not None and cookies.was_filled
        if not has_cookies and not order.headers and order.place.origin is home.origin and order.method not in HAS_BODY:
            return line + home.tail
        extra = order.headers
        if order.method in HAS_BODY or order.body:
            extra = {**extra, "content-length": ("Content-Length", str(len(order.body)))}
        is_said = "cookie" in extra or "cookie" in home.headers
        cookie = self.cookiejar.header_for(order.place) if has_cookies and not is_said else None
        return b"".join((line, home.render_tail(order.place, extra, cookie), order.body))

    # Sending, and what comes back.

    def _send(self, order: _Order) -> FloodResponse:
        """One request on one connection."""
        origin = order.place.origin
        try:
            pool = self._pool if origin is self._home.origin and self._pool is not None else self._pool_of(origin)
        except UsageError as error:
            response = FloodResponse(order.method, order.place.url, None)
            response.error = RequestFailedError(Outcome.UNREACHABLE, str(error))
            return response
        return self._read(order, pool.exchange(self._render(order), order.method == "HEAD"))

    def _pool_of(self, origin: Origin) -> LinePool:
        """The connections to a server, which may be the first."""
        if origin == self._home.origin:
            if self._pool is None:
                self._pool = self._new_pool(origin)
            return self._pool
        if self._pools is None:
            self._pools = {}
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = self._new_pool(origin)
        return pool

    def _new_pool(self, origin: Origin) -> LinePool:
        home = self._home
        return LinePool(self._client, home.route(self._client, origin), home.settings.concurrency)

    def _read(self, order: _Order, exchange: Exchange) -> FloodResponse:
        response = FloodResponse(order.method, order.url, exchange)
        head = exchange.head
        if head is None:
            response.took_s = exchange.took_s
            response.error = RequestFailedError(exchange.outcome or Outcome.CLOSED, exchange.error or "")
            return response
        response.took_s = (exchange.ended_s or exchange.started_s) - exchange.started_s
        response.status_code = head.status
        response.content = exchange.body
        if head.status not in GOOD:
            outcome = Outcome.SERVER_ERROR if head.status >= FIRST_SERVER_ERROR else Outcome.WRONG_ANSWER
            response.error = RequestFailedError(outcome, f"HTTP {head.status} {head.reason}".rstrip())
        if not SPECIAL_FIELDS.isdisjoint(head.names):
            if not COOKIE_FIELDS.isdisjoint(head.names):
                self.cookiejar.take(head, order.place)
            _decode(response, exchange.body)
        return response

    def _follow(self, order: _Order, response: FloodResponse, limit: int) -> FloodResponse:
        """Goes where redirects lead, up to `limit` of them."""
        history: list[FloodResponse] = []
        home = order.place.origin
        while limit and response.status_code in REDIRECTS and (location := response.headers.get("location")):
            if len(history) == limit:
                response.error = RequestFailedError(Outcome.WRONG_ANSWER, f"more than {limit} redirects")
                break
            history.append(response)
            try:
                place = place_of(urljoin(order.place.url, location))
            except ValueError:
                words = f"redirect to {location[:SHOWN_CHARACTERS]!r}, which is no http or https URL"
                response.error = RequestFailedError(Outcome.WRONG_ANSWER, words)
                break
            _redirect(order, response.status_code, place, is_abroad=place.origin != home)
            response = self._send(order)
            response.took_s += history[-1].took_s
        response.history = history
        return response


def _redirect(order: _Order, status: int, place: Place, *, is_abroad: bool) -> None:
    """Turns a request into the one that a redirect asks for."""
    order.place, order.url = place, place.url
    dropped = {"cookie"} | ({"authorization"} if is_abroad else set())
    if status not in KEEPS_METHOD:
        order.method = "HEAD" if order.method == "HEAD" else "GET"
        order.body = b""
        dropped |= {"content-length", "content-type", "content-encoding"}
    order.headers = {name: field for name, field in order.headers.items() if name not in dropped}


def _decode(response: FloodResponse, body: bytes) -> None:
    try:
        response.content = decode(body, response.headers.get("content-encoding", ""))
    except ContentError as error:
        response.error = RequestFailedError(Outcome.MALFORMED, str(error))
