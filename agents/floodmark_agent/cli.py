"""The command ``floodmark-agent``: words on the command line to a running agent. It reads no kernel file itself."""

import argparse
import importlib.metadata
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType

from floodmark.core.codec import to_plain
from floodmark.core.errors import FloodmarkError, TargetError, UsageError
from floodmark.core.messages import WIRE_VERSION, Hello
from floodmark.core.sample import Sample
from floodmark_agent.collector import Collector, open_collector
from floodmark_agent.sampler import Sampler

_LOG = logging.getLogger(__name__)
_PORT_MAX = 65535
_ONCE_BEAT_S = 1.0

_DESCRIPTION = """\
Watches one server from its own host: reads from the kernel how many connections wait in the accept queue, are accepted
but unread, or are read; every listening socket of the server's process tree with its depth and limit; its processes,
threads and open files. Samples go to a Locust master over Locust's own bus when Floodmark's master asks for them.

The agent opens no port, starts no process and changes nothing. It needs no privilege for a server of the same user;
for another user's it needs root, or CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, to see whose sockets are whose."""

_EPILOG = """\
examples:
  floodmark-agent --master 10.0.0.5:5557 --port 8000       watch what listens on port 8000, report to that master
  floodmark-agent --once --port 8000                       look once, by hand: one sample as JSON

exit codes: 0 told to stop (SIGTERM, SIGINT) or sample printed, 1 something failed and the line says what, 2 usage"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line, checked. `master` is None with `once`."""

    master: tuple[str, int] | None
    port: int
    pid: int | None
    name: str
    once: bool
    verbose: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and answers with its exit code."""
    try:
        options = parse(arguments)
        _begin_log(verbose=options.verbose)
        if options.master is None:
            _print_once(options)
        else:
            _serve(options, options.master)
    except FloodmarkError as error:
        print(f"floodmark-agent: {error}", file=sys.stderr)  # noqa: T201  the command's one line
        return error.exit_code
    return 0


def parse(arguments: Sequence[str] | None) -> Options:
    """Checks the words. Raises `UsageError`; ``--help`` and unknown words leave by `SystemExit`, as argparse has it."""
    words = _parser().parse_args(arguments)
    if words.once == (words.master is not None):
        raise UsageError("give either --master HOST:PORT, to report to it, or --once, to print one sample")
    if not 1 <= words.port <= _PORT_MAX:
        raise UsageError(f"--port {words.port} is not between 1 and {_PORT_MAX}")
    if words.pid is not None and words.pid < 1:
        raise UsageError(f"--pid {words.pid} is no process id")
    return Options(
        master=None if words.once else parse_master(words.master),
        port=words.port,
        pid=words.pid,
        name=words.name or f"{socket.gethostname()}:{words.port}",
        once=words.once,
        verbose=words.verbose,
    )


def parse_master(text: str) -> tuple[str, int]:
    """``host:port``, an IPv6 address in brackets. Raises `UsageError`."""
    host, colon, number = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise UsageError(f"--master {text}: an IPv6 address is written in brackets, '[::1]:5557'")
    port = int(number) if number.isascii() and number.isdecimal() else 0
    if not (colon and host and 1 <= port <= _PORT_MAX):
        raise UsageError(f"--master {text} is not HOST:PORT; Locust's master listens on port 5557 by default")
    return host, port


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="floodmark-agent",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--master", metavar="HOST:PORT", help="Locust's master; it may come up later, and come back")
    add("--port", type=int, required=True, metavar="N", help="the TCP port that the server's clients connect to")
    add("--pid", type=int, metavar="P", help="the server's first process (default: found by who holds the port)")
    add("--name", help="how the master and the report call this agent (default: this host's name and the port)")
    add("--once", action="store_true", help="print one sample as JSON on stdout and exit; needs no master")
    add("-v", "--verbose", action="store_true", help="say more on stderr")
    return parser


def _begin_log(*, verbose: bool) -> None:
    level = logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(message)s")


def _open(options: Options) -> Collector:
    return open_collector(options.port, pid=options.pid, clock=time.monotonic)


def _print_once(options: Options) -> None:
    collector = _open(options)
    try:
        sample = take_once(collector)
        for note in collector.notes():
            _LOG.warning("%s", note)
    finally:
        collector.close()
    print(json.dumps(to_plain(sample), indent=2))  # noqa: T201  the command's result


def take_once(collector: Collector) -> Sample:
    """One sample. Raises `TargetError` where it cannot be taken; the log says why."""
    sample = Sampler(collector, beat_s=_ONCE_BEAT_S, clock=time.monotonic).take_due()
    if sample is None:
        raise TargetError("no sample could be taken; the line above says why")
    return sample


def _serve(options: Options, master: tuple[str, int]) -> None:
    # Here, not above: --once needs neither ZeroMQ nor msgpack.
    from floodmark_agent.agent import Agent  # noqa: PLC0415
    from floodmark_agent.bus import Bus  # noqa: PLC0415

    stop = _Stop()
    bus = Bus(*master, clock=time.monotonic)
    _LOG.info("agent %s reports to %s:%d about port %d", options.name, *master, options.port)
    try:
        agent = Agent(link=bus, hello=_hello(options), open_target=lambda: _open(options), clock=time.monotonic)
        agent.run(stopped=lambda: stop.asked)
    finally:
        bus.close()


def _hello(options: Options) -> Hello:
    version = importlib.metadata.version("floodmark")
    host = socket.gethostname()
    return Hello(wire=WIRE_VERSION, name=options.name, host=host, pid=os.getpid(), version=version)


class _Stop:
    """Notes SIGTERM and SIGINT; the loop looks at it ten times a second."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
