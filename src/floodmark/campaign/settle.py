"""The quiet between two runs: closed connections give their ports back before the next load asks for them."""

import time
from collections.abc import Callable

from floodmark.engine.ports import port_pressure, read_local_ports, read_time_wait

LONGEST_S = 60.0
"""How long Linux keeps a socket in TIME_WAIT (TCP_TIMEWAIT_LEN in include/net/tcp.h)."""

LOOK_EVERY_S = 0.5


def settle(  # noqa: PLR0913 - all but the first two are for tests
    connections: int,
    *,
    say: Callable[[str], None],
    time_wait: Callable[[], int | None] = read_time_wait,
    ports: int | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> float:
    """Returns when so many connections find free source ports beside those in TIME_WAIT, or after `LONGEST_S`.

    The seconds it took. Ports that the kernel would take again at once are waited for as well: it has to look for them
    one by one, and the run would measure that.
    """
    ports = read_local_ports().count if ports is None else ports
    began_s = clock()
    fits = port_pressure(connections, ports, 0) is None  # if not, nothing is gained by waiting, and the run says so
    while (waited_s := clock() - began_s) < LONGEST_S and fits:
        kept = time_wait()
        if port_pressure(connections, ports, kept) is None:
            break
        say(f"{kept:,} closed connections are giving their ports back")
        sleep(LOOK_EVERY_S)
    return waited_s
