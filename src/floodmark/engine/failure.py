"""What an errno of a socket means for a request. A table: which call failed is known by who asks."""

import errno

from floodmark.core.outcomes import Outcome

AFTER_ESTABLISHED = frozenset({errno.ECONNRESET, errno.EPIPE})
"""A connection that ends with one of these was established first: a RST in SYN_SENT is ECONNREFUSED (tcp(7))."""

_ALWAYS = {
    errno.EMFILE: Outcome.OUT_OF_FILES,
    errno.ENFILE: Outcome.OUT_OF_FILES,
    errno.ENOMEM: Outcome.OUT_OF_MEMORY,
    errno.ENOBUFS: Outcome.OUT_OF_MEMORY,
    # epoll_ctl(2): the user's watches, a share of low memory, are used up (/proc/sys/fs/epoll/max_user_watches).
    errno.ENOSPC: Outcome.OUT_OF_MEMORY,
    errno.EHOSTUNREACH: Outcome.UNREACHABLE,
    errno.ENETUNREACH: Outcome.UNREACHABLE,
    errno.ENETDOWN: Outcome.UNREACHABLE,
    errno.EHOSTDOWN: Outcome.UNREACHABLE,
    errno.ECONNRESET: Outcome.RESET,
    errno.EPIPE: Outcome.RESET,
}
_WHILE_CONNECTING = {
    errno.ECONNREFUSED: Outcome.REFUSED,
    errno.ETIMEDOUT: Outcome.CONNECT_TIMEOUT,
    # connect(2): every port of the local range is in use; which of the three it is differs between kernels.
    errno.EADDRNOTAVAIL: Outcome.OUT_OF_PORTS,
    errno.EADDRINUSE: Outcome.OUT_OF_PORTS,
    errno.EAGAIN: Outcome.OUT_OF_PORTS,
}
_WHEN_CONNECTED = {
    # The kernel gave up resending: nothing came back for the whole of tcp_retries2.
    errno.ETIMEDOUT: Outcome.RESPONSE_TIMEOUT,
}


def outcome_of(code: int, *, connected: bool) -> Outcome:
    """The outcome of a request whose socket failed with errno `code`.

    What the tables do not know is the network's while connecting (EACCES, EPERM: a firewall), and a reset afterwards.
    """
    if code in _ALWAYS:
        return _ALWAYS[code]
    if connected:
        return _WHEN_CONNECTED.get(code, Outcome.RESET)
    return _WHILE_CONNECTING.get(code, Outcome.UNREACHABLE)
