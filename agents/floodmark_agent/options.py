"""The words on the command line of ``floodmark-agent``, checked. It looks at nothing on this host but its name."""

import argparse
import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from floodmark.core.bus_keys import KEYS_VARIABLE
from floodmark.core.errors import UsageError
from floodmark.core.messages import NAME_CHARACTERS
from floodmark_agent.counting import Way
from floodmark_agent.inet_diag import MAX_PORTS
from floodmark_agent.selector import Selector

_PORT_MAX = 65535
MARK_VARIABLE = "FLOODMARK_RUN"
"""What Floodmark sets in the environment of all that it starts (floodmark_deploy/shell.py)."""
WAY_VARIABLE = "FLOODMARK_CONNECTIONS"
"""Says how connections are counted, where nobody gives the words: `floodmark run` starts its agent."""
BUDGET_PERCENT = 2.0
NAME_SHOWN = 40
"""Of a name that will not do, in the error."""

_DESCRIPTION = """\
Watches one server from its own host: reads from the kernel how many connections wait in the accept queue, are accepted
but unread, or are read; every listening socket of the server's process tree with its depth and limit; its processes,
threads and open files; the counters of dropped connections. Samples go to a Locust master over Locust's own bus when
Floodmark's master asks for them; until then the agent rests.

The agent opens no port (but with --metrics, on the address given), starts no process, writes no file, and changes
nothing of the server. From the bus it takes start, stop, mark, clock questions and fetch (what it has measured),
nothing else.

which server: --port alone finds it by who listens there, in this network namespace or a container's. --pid, --unit,
--command and --mark name its processes; all below these belong to it. Together they narrow each other. A server that
is restarted is found again, but for --pid. Two servers on a host: two agents.

rights: none for a server of the same user. For another user's, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH show whose
sockets are whose (without: the ports' connections and counters are seen, inner lines and their owners are not); for
one in a container, CAP_SYS_PTRACE and CAP_SYS_ADMIN to look into its network namespace. Where it has CAP_BPF and
CAP_PERFMON it counts many connections at a third of the cost (--connections). What cannot be seen is said.

cost: on every beat (20 a second, the master may ask for another) the listening sockets, counters and processes; all
connections as often as the CPU budget allows: with few on every beat, with 10,000 five or ten times a second when a
load begins and every second or two when it goes on for long. A sample says what it cost and how late it was."""

_EPILOG = """\
examples:
  floodmark-agent --master 10.0.0.5:5557 --port 8000 --keys agent.toml
                                                                what listens on port 8000, reported to that master
  floodmark-agent --master 10.0.0.5:5557 --unit web.service     a systemd unit, whatever it listens on
  floodmark-agent --once --port 8000                            look once, by hand: one sample as JSON
  floodmark-agent --metrics 127.0.0.1:9464 --port 8000          no master: Prometheus text at /metrics

exit codes: 0 told to stop (SIGTERM, SIGINT) or sample printed, 1 something failed and the line says what, 2 usage"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line, checked. `master` is None with `once`, and may be with `metrics`."""

    master: tuple[str, int] | None
    metrics: tuple[str, int] | None
    selector: Selector
    name: str
    budget_share: float
    connections: Way = Way.AUTO
    tells_commands: bool = True
    keys: Path | None = None
    once: bool
    verbose: bool


def parse(arguments: Sequence[str] | None) -> Options:
    """Checks the words. Raises `UsageError`; ``--help`` and unknown words leave by `SystemExit`, as argparse has it."""
    words = parser().parse_args(arguments)
    if words.once and (words.master or words.metrics):
        raise UsageError("--once prints one sample and needs neither --master nor --metrics")
    if not (words.once or words.master or words.metrics):
        raise UsageError(
            "give --master HOST:PORT, to report to it, --metrics HOST:PORT, or --once, to print one sample"
        )
    way = _way(words)
    if words.once and words.connections == Way.WALK:
        raise UsageError(
            "--once counts by dump: a walk is believed from the third count on; leave --connections walk out"
        )
    selector = _selector(words)
    return Options(
        master=None if words.master is None else parse_address("--master", words.master),
        metrics=None if words.metrics is None else parse_address("--metrics", words.metrics),
        selector=selector,
        name=_name(words.name, selector),
        budget_share=_budget(words.cpu_budget),
        connections=way,
        tells_commands=not words.no_commands,
        keys=Path(words.keys) if words.keys else None,
        once=words.once,
        verbose=words.verbose,
    )


def parse_address(option: str, text: str) -> tuple[str, int]:
    """``host:port``, an IPv6 address in brackets. Raises `UsageError` that names the option."""
    host, colon, number = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise UsageError(f"{option} {text}: an IPv6 address is written in brackets, '[::1]:5557'")
    port = int(number) if number.isascii() and number.isdecimal() else 0
    if not (colon and host and 1 <= port <= _PORT_MAX):
        hint = "; Locust's master listens on port 5557 by default" if option == "--master" else ""
        raise UsageError(f"{option} {text} is not HOST:PORT{hint}")
    return host, port


def _way(words: argparse.Namespace) -> Way:
    said = words.connections or os.environ.get(WAY_VARIABLE) or Way.AUTO
    if said not in set(Way):
        raise UsageError(f"{WAY_VARIABLE}={said} in the environment is none of {', '.join(Way)}")
    return Way(said)


def _selector(words: argparse.Namespace) -> Selector:
    ports = tuple(dict.fromkeys(words.port or ()))
    if wrong := [port for port in ports if not 1 <= port <= _PORT_MAX]:
        raise UsageError(f"--port {wrong[0]} is not between 1 and {_PORT_MAX}")
    if len(ports) > MAX_PORTS:
        raise UsageError(f"--port is given {len(ports)} times, at most {MAX_PORTS} can be watched")
    if words.pid is not None and words.pid < 1:
        raise UsageError(f"--pid {words.pid} is no process id")
    selector = Selector(
        ports=ports,
        pid=words.pid,
        unit=_unit(words.unit),
        command=_pattern(words.command),
        mark=_mark(words.mark),
    )
    if not (ports or selector.names_processes):
        raise UsageError("say which server: --port, --pid, --unit, --command or --mark")
    return selector


def _name(given: str | None, selector: Selector) -> str:
    """What the agent is called. Raises `UsageError`: a master drops every word of one whose name is none for a log."""
    if not given:
        name = f"{socket.gethostname()}:{_target_name(selector)}"
        return "".join(character if character.isprintable() else "?" for character in name)[:NAME_CHARACTERS]
    if given.isprintable() and len(given) <= NAME_CHARACTERS:
        return given
    shown = ascii(given[:NAME_SHOWN]) + "..." * (len(given) > NAME_SHOWN)
    raise UsageError(f"--name {shown}: give printable text of {NAME_CHARACTERS} characters at the most")


def _target_name(selector: Selector) -> str:
    """What tells one agent of a host from another, in a word."""
    command = selector.command.pattern if selector.command else None
    said = (*selector.ports[:1], selector.unit, command, selector.mark, selector.pid)
    return str(next(one for one in said if one is not None))


def _unit(text: str | None) -> str | None:
    """``web`` is ``web.service``, as systemctl(1) has it."""
    return text if not text or "." in text else f"{text}.service"


def _pattern(text: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text else None
    except re.error as error:
        raise UsageError(f"--command {text} is no regular expression: {error}") from None


def _mark(text: str | None) -> str | None:
    return text if not text or "=" in text else f"{MARK_VARIABLE}={text}"


def _budget(percent: float) -> float:
    if not 0 < percent <= 100:  # noqa: PLR2004  a whole core
        raise UsageError(f"--cpu-budget {percent:g} is not above 0 and at most 100, in percent of one core")
    return percent / 100


def parser() -> argparse.ArgumentParser:
    """The command line's words."""
    made = argparse.ArgumentParser(
        prog="floodmark-agent",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    which = made.add_argument_group("which server").add_argument
    which(
        *("--port", "-p"),
        type=int,
        action="append",
        metavar="N",
        help="a TCP port that its clients connect to; more than once: the first is the one that the load goes to "
        "(default: the ports that the processes named below listen on)",
    )
    which("--pid", type=int, metavar="P", help="its first process")
    which("--unit", metavar="NAME", help="its systemd unit; or any other name on its control group's path")
    which("--command", metavar="REGEX", help="a pattern that its command line has somewhere")
    which(
        "--mark",
        metavar="VALUE",
        help=f"what its environment has as {MARK_VARIABLE}, which Floodmark sets; or a whole NAME=VALUE",
    )
    add = made.add_argument
    add("--master", metavar="HOST:PORT", help="Locust's master; it may come up later, and come back")
    add(
        "--keys",
        default=os.environ.get(KEYS_VARIABLE),
        metavar="FILE",
        help="the agent's keys of that master's bus, made by `floodmark keys`, or the folder that they are in "
        f"(default: {KEYS_VARIABLE} of the environment; without keys the bus is not encrypted)",
    )
    add("--metrics", metavar="HOST:PORT", help="serve Prometheus text there, at /metrics (default: no port is opened)")
    add("--once", action="store_true", help="print one sample as JSON on stdout and exit; needs no master")
    add(
        "--name",
        help="how the master and the report call this agent (default: this host's name and the server's port, else its "
        "unit, command, mark or process)",
    )
    add(
        "--cpu-budget",
        type=float,
        default=BUDGET_PERCENT,
        metavar="PERCENT",
        help="what the agent may take of one core, over any half minute or more (default: %(default)g)",
    )
    add(
        "--connections",
        choices=[str(way) for way in Way],
        help="how connections are counted. dump: by the kernel's list of them, needs no right. walk: by a program "
        "that is loaded into the kernel, goes through its table of sockets, is attached to nothing and ends with the "
        "agent; a third of the cost, takes CAP_BPF and CAP_PERFMON. auto: by walk where the agent has these rights and "
        f"there are many; else, and where the two do not agree, by dump (default: {WAY_VARIABLE} of the environment, "
        "or auto)",
    )
    add(
        "--no-commands",
        action="store_true",
        help="keep to itself how the server was started (default: the master is told its processes' command lines, "
        "with passwords and the like as ***)",
    )
    add("-v", "--verbose", action="store_true", help="say more on stderr")
    return made
