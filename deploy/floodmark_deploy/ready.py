"""One GET and what came of it, in words: whether a target is ready. No waiting and no judging beyond that."""

import http.client
import re
from http import HTTPStatus

from floodmark.core.address import Address
from floodmark.core.request_spec import RequestSpec

READ_BYTES = 65_536
"""How much of an answer is read: the expected text stands near its beginning."""

SHOWN_CHARACTERS = 80


def ask(address: Address, path: str, expected: RequestSpec, timeout_s: float) -> str | None:
    """None where the answer is the expected one, else what was seen. `timeout_s` bounds each wait for the peer."""
    connection = http.client.HTTPConnection(address.host, address.port, timeout=timeout_s)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        response = connection.getresponse()
        body = response.read(READ_BYTES)
    except ConnectionRefusedError:
        return f"no listener on {address.authority}"
    except TimeoutError:
        return f"no answer within {timeout_s:.1f} s"
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    return _difference(response.status, body, expected)


def _difference(status: int, body: bytes, expected: RequestSpec) -> str | None:
    text = body.decode(errors="replace")
    shown = repr(text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}...")
    if status != expected.status:
        names = {item.value: item.phrase for item in HTTPStatus}
        return f"HTTP {status} {names.get(status, '')}, where {expected.status} was expected, with the body {shown}"
    if expected.contains not in text:
        return f"a body without {expected.contains!r}: {shown}"
    if not re.search(expected.matches.encode(), body):
        return f"a body that {expected.matches!r} does not match: {shown}"
    return None
