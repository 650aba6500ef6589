"""The command ``floodmark-agent``: words on the command line to a running agent. It reads no kernel file itself."""

import gc
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING

from floodmark import __version__
from floodmark.core.bus_keys import AGENT, read_node_keys
from floodmark.core.codec import to_plain
from floodmark.core.errors import FloodmarkError, TargetError
from floodmark.core.loopback import is_loopback
from floodmark.core.messages import WIRE_VERSION, Hello
from floodmark.core.sample import Sample
from floodmark.core.system import prove_linux
from floodmark_agent.budget import Budget, DumpPace
from floodmark_agent.counting import BY_DUMP, Counting, prepare
from floodmark_agent.finder import Watch
from floodmark_agent.options import Options, parse
from floodmark_agent.proc import read_text
from floodmark_agent.sampler import Reader, Sampler

if TYPE_CHECKING:
    from floodmark_agent.metrics import Metrics

_LOG = logging.getLogger(__name__)
BOOT_ID = "/proc/sys/kernel/random/boot_id"
"""Another one after each start of the host (random(4)); also of a container that is started as a host is."""
_ONCE_BEAT_S = 1.0
# How soon a signal to stop is seen where there is no bus to wait on.
_WAIT_S = 0.1


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and answers with its exit code."""
    try:
        options = parse(arguments)
        _begin_log(verbose=options.verbose)
        prove_linux("the agent", "start it on the server's own host, which must run Linux")
        if options.once:
            _print_once(options)
        else:
            _serve(options)
    except FloodmarkError as error:
        print(f"floodmark-agent: {error}", file=sys.stderr)  # noqa: T201  the command's one line
        return error.exit_code
    return 0


def _begin_log(*, verbose: bool) -> None:
    level = logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(message)s")


def _open(options: Options, counting: Counting, port: int | None = None) -> Watch:
    """Finds the target; of several ports given, `port` counts as the one that its clients go to."""
    return Watch(options.selector.led_by(port), clock=time.monotonic, counting=counting)


def _print_once(options: Options) -> None:
    watch = _open(options, BY_DUMP)  # a walk pays once there are many counts
    try:
        sample = take_once(watch)
        for note in watch.notes():
            _LOG.warning("%s", note)
    finally:
        watch.close()
    print(json.dumps(to_plain(sample), indent=2))  # noqa: T201  the command's result


def take_once(reader: Reader) -> Sample:
    """One sample. Raises `TargetError` where it cannot be taken; the log says why."""
    budget = Budget(1.0, clock=time.monotonic, cpu_clock=time.process_time)
    pace = DumpPace(budget, clock=time.monotonic)
    sample = Sampler(reader, beat_s=_ONCE_BEAT_S, pace=pace, clock=time.monotonic).take_due()
    if sample is None:
        raise TargetError("no sample could be taken; the line above says why")
    return sample


def _serve(options: Options) -> None:
    """Reports and answers until told to stop."""
    stop = _Stop()
    counting = prepare(options.connections)
    # What has been made until now stays: the collector need not walk it again and again.
    gc.collect()
    gc.freeze()
    metrics = None if options.metrics is None else _metrics(options, options.metrics, counting)
    try:
        if options.master is not None:
            _report(options, options.master, stop, metrics, counting)
        while not stop.asked:
            time.sleep(_WAIT_S)
    finally:
        if metrics is not None:
            metrics.close()


def _metrics(options: Options, address: tuple[str, int], counting: Counting) -> "Metrics":
    # Here, not above, as the bus below: a web server is some of the agent's memory.
    from floodmark_agent.metrics import Metrics  # noqa: PLC0415

    return Metrics(address, open_target=lambda: _open(options, counting))


def _report(
    options: Options, master: tuple[str, int], stop: "_Stop", metrics: "Metrics | None", counting: Counting
) -> None:
    # Here, not above: --once needs neither ZeroMQ nor msgpack.
    from floodmark_agent.agent import Agent  # noqa: PLC0415
    from floodmark_agent.bus import Bus  # noqa: PLC0415
    from floodmark_agent.connection import Connection  # noqa: PLC0415

    keys = None if options.keys is None else read_node_keys(options.keys, AGENT)
    if keys is None and not is_loopback(master[0]):
        _LOG.warning("no --keys: whoever is on the way to %s can read along, and start and stop this agent", master[0])
    link = Connection(lambda: Bus(*master, clock=time.monotonic, keys=keys))
    _LOG.info("agent %s reports to %s:%d about %s", options.name, *master, _words(options))
    try:
        agent = Agent(
            link=link,
            hello=_hello(options),
            open_target=lambda port: _open(options, counting, port),
            budget=Budget(
                options.budget_share,
                clock=time.monotonic,
                cpu_clock=time.process_time,
                spent_s=time.process_time(),
            ),
            clock=time.monotonic,
            tells_commands=options.tells_commands,
            on_sample=None if metrics is None else metrics.note_sample,
        )
        agent.run(stopped=lambda: stop.asked)
    finally:
        link.close()


def _words(options: Options) -> str:
    ports = options.selector.ports
    parts = [f"port{'s' * (len(ports) > 1)} {', '.join(map(str, ports))}"] if ports else []
    parts += [options.selector.words] if options.selector.names_processes else []
    return ", ".join(parts)


def _hello(options: Options) -> Hello:
    host = socket.gethostname()
    return Hello(
        wire=WIRE_VERSION,
        name=options.name,
        host=host,
        pid=os.getpid(),
        version=__version__,
        process=os.urandom(16).hex(),  # neither uuid nor importlib.metadata: to import them takes longer than all else
        boot=(read_text(BOOT_ID) or "").strip(),
        ports=() if options.selector.names_processes else tuple(options.selector.ports),
    )


class _Stop:
    """Notes SIGTERM and SIGINT; the loop looks at it ten times a second."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
