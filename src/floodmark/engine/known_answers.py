"""Whole answers that were found good, by their bytes: the same bytes are as good again. It judges nothing itself.

A server that is asked the same again and again says the same, at least until its Date changes. To look an answer up
costs a twentieth of taking it apart. Answers that differ each time find nothing here, and cost what they cost.
"""

KEPT_ANSWERS = 256
"""More than the differing answers of most servers within one second, of which Date makes new ones."""

LONGEST_ANSWER_BYTES = 4_096
"""256 of them are a megabyte; and to hash a longer one takes as long as taking it apart."""


class KnownAnswers:
    """Answers that came in one piece, passed the check, and kept their connection alive."""

    def __init__(self) -> None:
        self.all: dict[bytes, int] = {}
        """Each with how many bytes of it are its body."""

    def remember(self, answer: bytes, body_bytes: int) -> None:
        """Keeps an answer, where it is not too long; forgets all others where they are too many."""
        if len(answer) <= LONGEST_ANSWER_BYTES and answer not in self.all:
            if len(self.all) >= KEPT_ANSWERS:
                self.all.clear()
            self.all[answer] = body_bytes
