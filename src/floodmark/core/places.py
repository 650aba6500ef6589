"""Where a request is: at every instant in exactly one place (docs/method.md, section 1)."""

from enum import StrEnum


class Place(StrEnum):
    """The places a released request can be in while it has no outcome, from the server's core outwards."""

    IN_SERVICE = "in_service"
    """A handler runs."""
    IN_PROCESS = "in_process"
    """Read by the server, no handler running yet: a thread pool's queue, a proxy in front of the workers."""
    UNREAD = "unread"
    """Accepted by a process, the request still in the kernel's receive buffer."""
    ACCEPT_QUEUE = "accept_queue"
    """Established, and no process has accepted it."""
    HALF_OPEN = "half_open"
    """The client believes it is established, the target does not hold an established socket for it."""
    CONNECTING = "connecting"
    """SYN sent, not answered."""

    @property
    def words(self) -> str:
        """The place as it is written in a sentence: ``accept queue``."""
        return self.value.replace("_", " ")


WAITING_PLACES = (Place.CONNECTING, Place.HALF_OPEN, Place.ACCEPT_QUEUE, Place.UNREAD, Place.IN_PROCESS)
"""Every place but in service, in the order a request passes them."""
