"""One user's cookies: the standard library's jar, told of requests and answers in its own terms."""

from email.message import Message
from http.cookiejar import Cookie, CookieJar
from urllib.request import Request

from floodmark.engine.exchange import Head
from floodmark.load.user.request import Place


class FloodCookies(CookieJar):
    """A jar that knows cheaply whether it was ever filled."""

    def __init__(self) -> None:
        super().__init__()
        self.was_filled = False

    def set_cookie(self, cookie: Cookie) -> None:
        """Every cookie comes by here, a server's and a locustfile's."""
        self.was_filled = True
        super().set_cookie(cookie)

    def header_for(self, place: Place) -> str | None:
        """The Cookie field for a request to there; None where no cookie is meant for it."""
        request = Request(place.url)  # noqa: S310 - nothing is opened: the jar reads host, path and scheme from it
        self.add_cookie_header(request)
        return request.get_header("Cookie")

    def take(self, head: Head, place: Place) -> None:
        """Keeps what an answer sets."""
        self.extract_cookies(_Answer(head), Request(place.url))  # type: ignore[arg-type]  # noqa: S310 - as above


class _Answer:
    """The one method that a jar asks of a response."""

    def __init__(self, head: Head) -> None:
        self._message = Message()
        for name, value in head.fields:
            if name.lower() in (b"set-cookie", b"set-cookie2"):
                self._message[name.decode("latin-1")] = value.decode("latin-1")

    def info(self) -> Message:
        return self._message
