"""The evidence for a WSGI application (PEP 3333). It touches one header and leaves the body alone."""

from collections.abc import Callable, Iterable
from typing import Any

from floodmark.middleware.handler_run import HEADER, Answering, answering

StartResponse = Callable[..., Callable[[bytes], object]]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class ServerTiming:
    """Wraps a WSGI application: ``app = ServerTiming(app)``; with Flask ``app.wsgi_app = ServerTiming(app.wsgi_app)``.

    The handler's run ends where the answer begins (start_response): what a streamed body takes comes after it.
    """

    def __init__(self, app: Application) -> None:
        """Wraps `app`."""
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """One request. The application's iterable is handed on as it is: its length, its file, its close()."""
        request = Answering()

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Callable[[bytes], object]:
            value = request.evidence or request.run.ended()
            return start_response(status, [*headers, (HEADER, value)], *error)

        token = answering.set(request)
        try:
            return self.app(environ, start)
        finally:
            answering.reset(token)
