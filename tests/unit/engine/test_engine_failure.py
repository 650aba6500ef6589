import errno

import pytest

from floodmark.core.outcomes import Outcome, Side
from floodmark.engine.failure import outcome_of


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (errno.ECONNREFUSED, Outcome.REFUSED),
        (errno.EHOSTUNREACH, Outcome.UNREACHABLE),
        (errno.ENETUNREACH, Outcome.UNREACHABLE),
        (errno.EPERM, Outcome.UNREACHABLE),
        (errno.ETIMEDOUT, Outcome.CONNECT_TIMEOUT),
        (errno.ECONNRESET, Outcome.RESET),
        (errno.EADDRNOTAVAIL, Outcome.OUT_OF_PORTS),
        (errno.EADDRINUSE, Outcome.OUT_OF_PORTS),
        (errno.EMFILE, Outcome.OUT_OF_FILES),
        (errno.ENFILE, Outcome.OUT_OF_FILES),
        (errno.ENOMEM, Outcome.OUT_OF_MEMORY),
        (errno.ENOBUFS, Outcome.OUT_OF_MEMORY),
    ],
)
def test_an_errno_while_connecting(code: int, outcome: Outcome) -> None:
    assert outcome_of(code, connected=False) is outcome


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (errno.ECONNRESET, Outcome.RESET),
        (errno.EPIPE, Outcome.RESET),
        (errno.ECONNREFUSED, Outcome.RESET),
        (errno.ETIMEDOUT, Outcome.RESPONSE_TIMEOUT),
        (errno.EHOSTUNREACH, Outcome.UNREACHABLE),
        (errno.ENOMEM, Outcome.OUT_OF_MEMORY),
    ],
)
def test_an_errno_of_an_established_connection(code: int, outcome: Outcome) -> None:
    assert outcome_of(code, connected=True) is outcome


def test_every_errno_is_a_failure_and_running_out_is_never_the_targets() -> None:
    for code in errno.errorcode:
        assert outcome_of(code, connected=False).failed
        assert outcome_of(code, connected=True).failed
    for code in (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOMEM):
        assert outcome_of(code, connected=False).side is Side.GENERATOR
