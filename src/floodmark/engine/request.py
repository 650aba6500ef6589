"""The bytes of a request. Rendering only: nothing is sent here."""

from collections.abc import Callable
from urllib.parse import quote

from floodmark import __version__

ID_FIELD = "{id}"

# What may stand in a request's path and query as it is (RFC 3986, section 3.3 and 3.4), and the % of what is encoded
# already. Everything else, a space or a line end among them, is percent-encoded: no path can add a header.
SAFE = "%/?:@!$&'()*+,;=~-._"


def render_get(path_template: str, authority: str, *, keeps_alive: bool = False) -> Callable[[int], bytes]:
    """What makes the GET of one id: ``{id}`` in the path, however often, becomes the number.

    `authority` is the Host header's value. The connection is asked to be closed after the one answer, except where it
    `keeps_alive`.
    """
    pieces = [quote(piece, safe=SAFE).encode() for piece in path_template.split(ID_FIELD)]
    pieces[0] = b"GET " + pieces[0]
    ending = "" if keeps_alive else "Connection: close\r\n"
    pieces[-1] += (
        f" HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: floodmark/{__version__}\r\nAccept: */*\r\n{ending}\r\n"
    ).encode("ascii")

    def render(request_id: int) -> bytes:
        return (b"%d" % request_id).join(pieces)

    return render
