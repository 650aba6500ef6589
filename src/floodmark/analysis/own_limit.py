"""Whether a target cut clients off because it was full: a limit of its own on connections. No limit of the kernel's.

A handler that crashes, or a process that closes what it cannot parse, cuts clients off as well. What tells them apart
is the order: a full server lets nobody in from the first that it cuts off until one of those inside ends.
"""

from floodmark.analysis.axis import Axis, Request
from floodmark.analysis.ceiling import slack
from floodmark.analysis.service import REBUILT_DWELL, Service, served_ends, service_of
from floodmark.core.outcomes import Outcome

CUT_OFF = (Outcome.RESET, Outcome.CLOSED)
"""How a server refuses a client that it has let in."""

NEAR_SHARE = 0.9
"""Nearly all: the order in which clients come is not quite that in which a server looks at them. Of nginx at its
`worker_connections` up to 7 % of those inside came after the first that it cut off."""

LEAST_SHARE, LEAST_CUT = 0.02, 3
"""Of those that came, and how many at least must be cut off while the target was full: fewer may be so by chance."""


def cut_off_when_full(axis: Axis) -> int:
    """How many clients were let in and cut off, where each was because the target was full; 0 where that is not shown.

    It is shown where in service stood at its peak whenever one was cut off, and where nearly all who came from the
    first of these on were cut off, until one inside ended.
    """
    came = [request for request in axis.requests if request.connected_s is not None]
    cut = [request for request in came if request.hit.outcome in CUT_OFF]
    if not cut or not _stood_full(axis, service_of(axis), cut):
        return 0
    first_s = min(map(_came_s, cut))
    freed_s = next((end_s for end_s in served_ends(axis) if end_s > first_s), axis.end_s)
    refused = sum(_came_s(request) < freed_s for request in cut)
    inside = [_came_s(request) for request in came if request.hit.outcome not in CUT_OFF and _came_s(request) < freed_s]
    after = sum(came_s >= first_s for came_s in inside)
    orderly = after <= (1 - NEAR_SHARE) * len(inside) and refused >= NEAR_SHARE * (refused + after)
    enough = refused >= max(LEAST_CUT, LEAST_SHARE * len(came))
    return len(cut) if orderly and enough else 0


def _stood_full(axis: Axis, service: Service, cut: list[Request]) -> bool:
    """True where in service was at its peak when clients were cut off; a rebuilt interval may begin late."""
    peak, late_s = service.peak(axis.end_s), 0.0 if service.exact else REBUILT_DWELL * axis.served_hold_s
    least = peak - slack(peak)
    ends_s = [request.ended_s for request in cut if request.ended_s is not None]
    full = sum(max(service.count.at(end_s), service.count.at(end_s + late_s)) >= least for end_s in ends_s)
    return peak > 0 and full >= NEAR_SHARE * len(ends_s)


def _came_s(request: Request) -> float:
    return request.connected_s or 0.0
