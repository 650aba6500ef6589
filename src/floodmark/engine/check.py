"""Which answer counts. It looks at a whole answer's status and body; taking an answer apart is ``response``'s."""

import re
from dataclasses import dataclass

from floodmark.core.outcomes import Outcome
from floodmark.core.request_spec import RequestSpec

KEPT_BODY_BYTES = 65_536
"""How much of a body is kept to look for a text in: ten thousand answers at once must fit into memory."""

FIRST_SERVER_ERROR = 500
LAST_SERVER_ERROR = 599
"""RFC 9110, section 15.6."""

SHOWN_BYTES = 60
"""How much of the text that was looked for an error repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCheck:
    """The status that is expected, a text that the body contains, and a pattern that is found in it (`re.search`).

    An empty text is in every body; no pattern asks for nothing. Both are looked for in the first `KEPT_BODY_BYTES` of
    the body. A 5xx that is expected counts as answered. A pattern is run on every answer, between two turns of the
    engine: one that backtracks without end ("(a+)+$") stops the engine, and shows as loop lag.
    """

    status: int = 200
    text: bytes = b""
    pattern: re.Pattern[bytes] | None = None

    @classmethod
    def of(cls, request: RequestSpec) -> "AnswerCheck":
        """The check that a request asks for; its words as UTF-8."""
        pattern = re.compile(request.matches.encode()) if request.matches else None
        return cls(status=request.status, text=request.contains.encode(), pattern=pattern)

    @property
    def kept_body_bytes(self) -> int:
        """How much of the body must be kept for this check."""
        return KEPT_BODY_BYTES if self.text or self.pattern else 0

    def judge(self, status: int, reason: str, body: bytes | bytearray) -> tuple[Outcome, str | None]:
        """The outcome of a complete answer, and the error's text where it is not the one asked for."""
        if status != self.status:
            is_server_error = FIRST_SERVER_ERROR <= status <= LAST_SERVER_ERROR
            outcome = Outcome.SERVER_ERROR if is_server_error else Outcome.WRONG_ANSWER
            return outcome, f"HTTP {status} {reason}".rstrip()
        if self.text not in body:
            return Outcome.WRONG_ANSWER, f"no {self.text[:SHOWN_BYTES]!r} in the body of {len(body)} bytes read for it"
        if self.pattern is not None and not self.pattern.search(body):
            shown = self.pattern.pattern[:SHOWN_BYTES]
            return Outcome.WRONG_ANSWER, f"nothing matches {shown!r} in the body of {len(body)} bytes read for it"
        return Outcome.ANSWERED, None
