"""Routes of our own in Locust's web UI, below ``/floodmark/``: the live page, its data, the runs' files.

They need the login that Locust's need, and stay on this server: no other site's page may read them, nothing is fetched
from elsewhere.
"""

import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from flask import Blueprint, Response, abort, request, send_file

from floodmark.core.codec import to_plain, to_table
from floodmark.core.run_folder import RunStatus
from floodmark.load.web.board import ENDS, Page, Phase, final_figures
from floodmark.load.web.runs import RunShelf
from floodmark.load.web.tables import short

FILES = Path(__file__).parent / "static"
STATIC = {
    name: kind
    for kind, names in {
        "text/css": ("floodmark.css",),
        "text/javascript": ("page.js", "bar.js", "chart.js", "draw.js", "dom.js"),
    }.items()
    for name in names
}
"""What there is to be had without looking at the disk."""

FRESH_S = 0.4
"""A run under way is looked at no more often."""
A_YEAR_S = 31_536_000

_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""The chart library brings styles of its own."""
_FILE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'"
)
"""A report has no scripts; what a run's file has is text."""

_TYPES = {".html": "text/html", ".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png"}


class Shown(Protocol):
    """What the pages ask."""

    shelf: RunShelf

    def page(self) -> Page:
        """What is shown now."""


def add_pages(ui: Any, board: Shown) -> None:
    """Adds the routes to Locust's web UI, below its base path."""
    (index,) = ui.app.url_map.iter_rules("locust.index")
    routes = Blueprint("floodmark", __name__, url_prefix=index.rule.rstrip("/") + "/floodmark")
    pages = _Pages(board)
    views: dict[str, Callable[..., Response]] = {
        "/": pages.index,
        "/live.json": pages.live,
        "/state.json": pages.state,
        "/runs.json": pages.runs,
        "/static/<name>": pages.static,
        "/plotly.min.js": pages.plotly,
        "/runs/<path:name>/view.json": pages.view,
        "/runs/<name>/files/<path:file>": pages.file,
    }
    for rule, view in views.items():
        routes.add_url_rule(rule, view.__name__, ui.auth_required_if_enabled(view))
    routes.after_request(_guard)
    ui.app.register_blueprint(routes)


def _guard(response: Response) -> Response:
    """Locust lets every site's page read its answers: ours are for its own pages."""
    response.headers["Access-Control-Allow-Origin"] = request.host_url.rstrip("/")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers.setdefault("Content-Security-Policy", _PAGE_POLICY)
    return response


class Fresh:
    """A board that is asked no more often than every `FRESH_S`, however many look."""

    def __init__(self, board: Shown, clock: Callable[[], float] = time.monotonic) -> None:
        self.shelf = board.shelf
        self._board = board
        self._clock = clock
        self._made_s = float("-inf")
        self._made: Page | None = None

    def page(self) -> Page:
        """What was shown just now, or what is shown now."""
        now_s = self._clock()
        if self._made is None or now_s - self._made_s >= FRESH_S:
            self._made, self._made_s = self._board.page(), now_s
        return self._made


class _Pages:
    def __init__(self, board: Shown) -> None:
        self._board = board
        self._sent: tuple[Page, bytes] | None = None

    def index(self) -> Response:
        return _text((FILES / "page.html").read_bytes(), "text/html")

    def static(self, name: str) -> Response:
        if name not in STATIC:
            abort(404)
        return _text((FILES / name).read_bytes(), STATIC[name])

    def plotly(self) -> Response:
        file = plotly_file()
        if file is None:
            abort(404, "plotly is not installed: pip install 'floodmark[web]'")
        return send_file(file, mimetype="text/javascript", conditional=True, max_age=A_YEAR_S)

    def live(self) -> Response:
        page = self._board.page()
        if self._sent is None or self._sent[0] is not page:
            self._sent = page, page_json(page)
        return _text(self._sent[1], "application/json")

    def state(self) -> Response:
        """The same without curves and tables, for the bar."""
        return _json(dataclasses.replace(self._board.page(), curves=None, tables=()))

    def runs(self) -> Response:
        return _json({"runs": self._board.shelf.entries()})

    def view(self, name: str) -> Response:
        page = finished(self._board.shelf, name)
        if page is None:
            abort(404)
        return _text(page_json(page), "application/json")

    def file(self, name: str, file: str) -> Response:
        found = self._board.shelf.file(name, file)
        if found is None:
            abort(404)
        response = send_file(
            found.resolve(), mimetype=_TYPES.get(found.suffix, "text/plain"), conditional=True, max_age=0
        )
        response.headers["Content-Security-Policy"] = _FILE_POLICY
        return response


def page_json(page: Page) -> bytes:
    """The page as the browser gets it."""
    # Encoded as it is: tables and lists of an hour made first would take five times as long.
    plain = to_table(page) | {"library": library_version()}
    return json.dumps(plain, separators=(",", ":"), default=to_table).encode()


def finished(shelf: RunShelf, name: str) -> Page | None:
    """A run that is over, from its folder; None where there is none of this name."""
    entry, folder = shelf.entry(name), shelf.folder(name)
    if entry is None or folder is None:
        return None
    curves = shelf.curves(name)
    missing = f"; it has no curves yet: floodmark report {short(str(folder))} makes them" if curves is None else ""
    phase = Phase(
        name="ended", words=ENDS.get(RunStatus(entry.status), entry.status) + missing, is_bad=entry.status == "failed"
    )
    return Page(
        run=name,
        kind=entry.kind,
        target=entry.target,
        plan=entry.plan,
        phase=phase,
        figures=final_figures(entry.outcomes),
        curves=curves,
        verdict=entry.verdict,
        files=entry.files,
    )


def plotly_file() -> Path | None:
    """The chart library in its package, which is not imported: it would take a second and load much more."""
    spec = importlib.util.find_spec("plotly")
    places = spec.submodule_search_locations if spec else None
    file = Path(next(iter(places))) / "package_data" / "plotly.min.js" if places else None
    return file if file is not None and file.is_file() else None


def library_version() -> str | None:
    """Of the chart library; None where it is not installed."""
    return importlib.metadata.version("plotly") if plotly_file() is not None else None


def _json(value: Any) -> Response:
    return _text(json.dumps(to_plain(value), separators=(",", ":")).encode(), "application/json")


def _text(body: bytes, kind: str) -> Response:
    """Asked for again each time, and sent when it has changed."""
    response = Response(body, mimetype=kind)
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(hashlib.blake2b(body, digest_size=12).hexdigest())
    response.make_conditional(request)
    return response
