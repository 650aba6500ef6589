"""What is sent, and which answer counts. Words only: the engine renders the request and checks the answer."""

import re
from dataclasses import dataclass

STATUSES = range(200, 600)
"""Final answers: 1xx never ends a request (RFC 9110, section 15)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSpec:
    """The request to send and the answer that counts: its status, a text in its body, a regular expression found there.

    `path` may use ``{id}`` and ``{hold}``. An empty `contains` or `matches` asks for nothing.
    """

    path: str = "/?id={id}&hold={hold}"
    status: int = 200
    contains: str = ""
    matches: str = ""

    def __post_init__(self) -> None:
        """Refuses what can never be sent or answered."""
        prove_path(self.path)
        prove_status(self.status)
        try:
            re.compile(self.matches.encode())
        except re.error as error:
            raise ValueError(f"matches {self.matches!r}: not a regular expression: {error}") from None

    @property
    def holds(self) -> bool:
        """True where the server is told how long to hold, so that the hold is known."""
        return "{hold}" in self.path


def prove_status(status: int) -> None:
    """Raises `ValueError` for a status that no answer has."""
    if status not in STATUSES:
        raise ValueError(f"status {status}: give an HTTP status from {STATUSES.start} to {STATUSES.stop - 1}")


def prove_path(path: str) -> None:
    """Raises `ValueError` for what is no path."""
    if not path.startswith("/") or any(character.isspace() for character in path):
        raise ValueError(f"path {path!r}: must begin with '/' and hold no blanks")
