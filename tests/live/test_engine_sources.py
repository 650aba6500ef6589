"""Bursts from addresses and ports that were chosen, on real sockets."""

import socket
import time
from collections import Counter

import pytest
from test_engine_hostile import (
    DEADLINE_S,
    OK,
    no_descriptor_is_left,  # noqa: F401 - a fixture for here, too
    send_and_close,
    server,
)

from floodmark.core.hit import Hit
from floodmark.core.outcomes import Outcome, Side
from floodmark.engine.burst import Burst, BurstWork, run_burst
from floodmark.engine.check import AnswerCheck
from floodmark.engine.dial import Dial
from floodmark.engine.endpoint import Endpoint
from floodmark.engine.ports import has_port_ranges, read_local_ports

pytestmark = pytest.mark.live

FEW = 8


def burst_from(endpoint: Endpoint, ids: range, **way: object) -> Burst:
    now_s = time.monotonic()
    work = BurstWork(
        worker="w1",
        dial=Dial(endpoint=endpoint, **way),  # type: ignore[arg-type]
        requests=tuple((number, now_s) for number in ids),
        render=lambda _: b"GET / HTTP/1.1\r\n\r\n",
        check=AnswerCheck(),
        timeout_s=None,
    )
    return Burst(work)


def test_a_worker_uses_all_its_sources_alike_whatever_its_ids_are() -> None:
    seen: Counter[str] = Counter()

    def look(client: socket.socket) -> None:
        seen[client.getpeername()[0]] += 1
        send_and_close(OK)(client)

    sources = ("127.0.0.2", "127.0.0.3")
    with server(look, count=20) as endpoint:
        hits = run_burst(burst_from(endpoint, range(2, 42, 2), sources=sources), timeout_s=DEADLINE_S)
    assert {hit.outcome for hit in hits} == {Outcome.ANSWERED}
    assert seen == dict.fromkeys(sources, 10)


def test_an_address_of_another_machine_is_the_generators_failure_and_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = Endpoint(family=socket.AF_INET, sockaddr=listener.getsockname(), authority="silent")
        (hit,) = run_burst(burst_from(endpoint, range(1), sources=("192.0.2.77",)), timeout_s=DEADLINE_S)
    assert (hit.outcome.side, hit.error) == (Side.GENERATOR, "192.0.2.77 is not an address of this machine")


def hits_with_few_ports(endpoint: Endpoint, sources: tuple[str, ...]) -> list[Hit]:
    """Of twice as many requests as one address has ports; what is connected is held to the end."""
    # The upper end of the range: whoever starts at its lower end meets others' ports.
    high = read_local_ports().high
    burst = burst_from(endpoint, range(2 * FEW), sources=sources, ports=(high - FEW + 1, high))
    burst.step()
    burst.close()
    return burst.take_hits()


@pytest.mark.skipif(not has_port_ranges(), reason="needs Linux 6.3")
def test_ports_that_run_out_are_the_generators_failure() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        endpoint = Endpoint(family=socket.AF_INET, sockaddr=listener.getsockname(), authority="silent")
        hits = hits_with_few_ports(endpoint, ())
    outcomes = Counter(hit.outcome for hit in hits)
    assert set(outcomes) == {Outcome.WAITING, Outcome.OUT_OF_PORTS}
    assert outcomes[Outcome.WAITING] <= FEW
    assert {hit.error for hit in hits if hit.outcome.failed} == {"Cannot assign requested address"}


@pytest.mark.skipif(not has_port_ranges(), reason="needs Linux 6.3")
def test_another_source_has_all_the_ports_again() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        endpoint = Endpoint(family=socket.AF_INET, sockaddr=listener.getsockname(), authority="silent")
        alone = Counter(hit.outcome for hit in hits_with_few_ports(endpoint, ("127.0.0.5",)))
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        endpoint = Endpoint(family=socket.AF_INET, sockaddr=listener.getsockname(), authority="silent")
        both = Counter(hit.outcome for hit in hits_with_few_ports(endpoint, ("127.0.0.5", "127.0.0.6")))
    assert both[Outcome.WAITING] > alone[Outcome.WAITING]
