"""What became of a request, and which side caused it. No counting here: that is ``floodmark.analysis``."""

from enum import StrEnum


class Side(StrEnum):
    """Who caused a failure."""

    TARGET = "target"
    NETWORK = "network"
    GENERATOR = "generator"


class Outcome(StrEnum):
    """The end of one planned request; every planned request has exactly one."""

    ANSWERED = "answered"
    WAITING = "waiting"
    """Still in line, or still being served, when the run ended: neither answered nor failed."""
    UNSENT = "unsent"
    """Planned and never released: the run was interrupted, its worker was lost, or its time was over before its turn.

    The last is the generator's doing: too few connections for the rate, or a worker without time.
    """

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "connect_timeout"
    RESPONSE_TIMEOUT = "response_timeout"
    RESET = "reset"
    CLOSED = "closed"
    """The target closed the connection without a complete answer."""
    MALFORMED = "malformed"
    """The answer is not HTTP/1.1."""
    WRONG_ANSWER = "wrong_answer"
    """A well-formed answer that the check does not accept: another status than expected, another body."""
    SERVER_ERROR = "server_error"
    """HTTP 5xx."""
    TLS_FAILED = "tls_failed"
    """No secure connection: the certificate, the protocol version, or no TLS at all."""
    OUT_OF_PORTS = "out_of_ports"
    OUT_OF_FILES = "out_of_files"
    OUT_OF_MEMORY = "out_of_memory"

    @property
    def failed(self) -> bool:
        """True where the request ended, and not with the answer that was asked for."""
        return self not in _NOT_FAILURES

    @property
    def side(self) -> Side | None:
        """The side that caused this failure; None where nothing failed."""
        return _SIDE_OF.get(self)


_NOT_FAILURES = frozenset({Outcome.ANSWERED, Outcome.WAITING, Outcome.UNSENT})

# A connect timeout is the target's: on a path that works, a SYN goes unanswered when the accept queue is full.
_SIDE_OF = {
    Outcome.REFUSED: Side.TARGET,
    Outcome.UNREACHABLE: Side.NETWORK,
    Outcome.CONNECT_TIMEOUT: Side.TARGET,
    Outcome.RESPONSE_TIMEOUT: Side.TARGET,
    Outcome.RESET: Side.TARGET,
    Outcome.CLOSED: Side.TARGET,
    Outcome.MALFORMED: Side.TARGET,
    Outcome.WRONG_ANSWER: Side.TARGET,
    Outcome.SERVER_ERROR: Side.TARGET,
    Outcome.TLS_FAILED: Side.TARGET,
    Outcome.OUT_OF_PORTS: Side.GENERATOR,
    Outcome.OUT_OF_FILES: Side.GENERATOR,
    Outcome.OUT_OF_MEMORY: Side.GENERATOR,
}
