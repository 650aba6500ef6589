"""What a request of FloodUser gives back: the answer or the failure, and in a with-block the say over its result."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from charset_normalizer import detect
from locust.exception import CatchResponseError, LocustError, ResponseError
from requests.utils import get_encoding_from_headers

from floodmark.engine.exchange import Exchange, Timings
from floodmark.load.user.headers import FloodHeaders

NEEDS_CATCH = "to decide whether a request failed, pass catch_response=True and use a with-block"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRequest:
    """The request that an answer is for: after redirects the last one."""

    method: str
    url: str
    headers: FloodHeaders
    body: bytes


class FloodResponse:
    """An answer, or what came instead of one: then `status_code` is 0, `content` None and `error` says why.

    `timings` and `elapsed` are of the exchange that brought this answer; those of redirects before it are in `history`.
    `took_s` is all of them together. `request_meta` is what will be reported at the end of a with-block.
    """

    # Defaults of the class: one is made per request, and most change little of this.
    encoding: str | None = None
    error: Exception | None = None
    content: bytes | None = None
    status_code = 0
    history: Sequence["FloodResponse"] = ()
    request_meta: dict[str, Any] | None = None
    took_s = 0.0
    _headers: FloodHeaders | None = None
    _fire: Callable[..., None] | None = None
    _result: bool | Exception | None = None
    _is_entered = False

    def __init__(self, method: str, url: str, exchange: Exchange | None) -> None:
        """`url` is what was asked for, or what the last redirect made of it."""
        self.url = url
        self._method = method
        self._exchange = exchange

    @property
    def reason(self) -> str:
        """The words after the status."""
        head = self._exchange.head if self._exchange else None
        return head.reason if head else ""

    @property
    def headers(self) -> FloodHeaders:
        """Its fields, by name in any case; none where there was no answer."""
        if self._headers is None:
            head = self._exchange.head if self._exchange else None
            self._headers = FloodHeaders(head.fields if head else ())
        return self._headers

    @property
    def text(self) -> str | None:
        """The body as text: by `encoding` where that is set, else by what the answer says, else by guessing."""
        if self.content is None:
            return None
        if self.encoding is None:
            said = get_encoding_from_headers(self.headers)  # type: ignore[arg-type] # it only asks for one by name
            self.encoding = said or detect(self.content)["encoding"]
        return None if self.encoding is None else self.content.decode(self.encoding, errors="replace")

    def json(self) -> Any:
        """The body taken as JSON."""
        return json.loads(self.text or "")

    @property
    def elapsed(self) -> timedelta:
        """From the request's start to the answer's last byte, or to its failure."""
        return timedelta(seconds=self._exchange.took_s if self._exchange else 0.0)

    @property
    def timings(self) -> Timings:
        """When it was connected, sent, begun and complete, in seconds from its start."""
        if self._exchange is None:
            return Timings(connect_s=None, sent_s=None, first_byte_s=None, last_byte_s=None)
        return self._exchange.timings

    @property
    def ok(self) -> bool:
        """There is an answer, of a status below 400."""
        return 0 < self.status_code < 400  # noqa: PLR2004 - where client errors begin (RFC 9110, section 15)

    @property
    def request(self) -> SentRequest:
        """The request as it was sent."""
        head, _, body = (self._exchange.request if self._exchange else b"").partition(b"\r\n\r\n")
        lines = (line.partition(b": ") for line in head.split(b"\r\n")[1:])
        headers = FloodHeaders(tuple((name, value) for name, _, value in lines))
        return SentRequest(method=self._method, url=self.url, headers=headers, body=body)

    def raise_for_status(self) -> None:
        """Raises the failure, if it is one."""
        if self._result is None or self._result is False:
            if self.error is not None:
                raise self.error
        elif isinstance(self._result, Exception):
            raise self._result

    def iter_content(self, chunk_size: int = 1024, decode_content: bool = True) -> Iterator[bytes | str]:  # noqa: FBT001, FBT002 - Locust's own signature
        """The body in pieces. It is here already: an answer is always read whole."""
        body = self.content or b""
        for start in range(0, len(body), chunk_size):
            piece = body[start : start + chunk_size]
            try:
                yield piece.decode() if decode_content else piece
            except UnicodeDecodeError:
                yield piece

    # Locust's way to let a locustfile decide.

    def catch(self, fire: Callable[..., None]) -> Callable[..., None]:
        """Leaves the report to a with-block; what it returns takes the report meanwhile."""
        self._fire = fire
        return self._keep

    def _keep(self, *, response: object, **request_meta: Any) -> None:  # noqa: ARG002 - it is this one
        """Keeps the report without itself: a circle for every request would keep the collector busy."""
        self.request_meta = request_meta

    def success(self) -> None:
        """Counts the request as a success, whatever its answer is."""
        self._must_be_entered()
        self._result = True

    def failure(self, exc: object) -> None:
        """Counts the request as a failure; what is no exception becomes one."""
        self._must_be_entered()
        self._result = exc if isinstance(exc, Exception) else CatchResponseError(exc)

    def __enter__(self) -> Self:
        if self._fire is None:
            raise LocustError(NEEDS_CATCH)
        self._is_entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """As Locust has it: what was said by hand counts, else a `ResponseError`, else the status."""
        if self._result is not None:
            self._report(None if self._result is True else self._result)
            return error is None
        if error is None:
            self._report(self.error)
            return True
        if isinstance(error, ResponseError):
            self._report(error)
            return True
        return False

    def _report(self, exception: object) -> None:
        if self._fire is not None and self.request_meta is not None:
            self.request_meta["exception"] = exception
            self._fire(**self.request_meta, response=self)

    def _must_be_entered(self) -> None:
        if not self._is_entered:
            raise LocustError(NEEDS_CATCH)
