"""What goes into Locust's failure statistics for a request of FloodUser. It is recorded, not raised."""

from floodmark.core.outcomes import Outcome, Side


class RequestFailedError(Exception):
    """A request that ended, and not with the answer that was asked for.

    Locust groups failures by `repr`: it has the outcome and the reason, and no URL.
    """

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(f"{outcome}: {reason}")
        self.outcome = outcome
        self.reason = reason

    def __repr__(self) -> str:
        return str(self)

    @property
    def side(self) -> Side | None:
        """Who caused it: target, network or generator."""
        return self.outcome.side
