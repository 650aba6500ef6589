"""Counters of dropped and overflowing connections from ``/proc/<pid>/net/netstat``: events, not connections."""

from floodmark.core.errors import WireError
from floodmark.core.sample import NetCounters
from floodmark_agent.proc import ROOT, read_text

_TABLE = "TcpExt:"


def read_counters(pid: int | None, proc: str = ROOT) -> NetCounters | None:
    """The counters of a process' network namespace, this one's without `pid`; None where they cannot be read."""
    text = read_text(f"{proc}/{'self' if pid is None else pid}/net/netstat")
    return None if text is None else parse_counters(text)


def parse_counters(text: str) -> NetCounters:
    """Reads the table's two lines, names and values. Raises `WireError` where a counter is not among them."""
    names, values = _table(text)
    try:
        found = {name: int(value) for name, value in zip(names, values, strict=True)}
        return NetCounters(
            listen_overflows=found["ListenOverflows"],
            listen_drops=found["ListenDrops"],
            req_q_full_do_cookies=found["TCPReqQFullDoCookies"],
            req_q_full_drop=found["TCPReqQFullDrop"],
        )
    except (KeyError, ValueError) as error:
        raise WireError(f"/proc/<pid>/net/netstat: {_TABLE} does not say what it should: {error}") from None


def _table(text: str) -> tuple[list[str], list[str]]:
    lines = [line.split()[1:] for line in text.splitlines() if line.startswith(_TABLE)]
    if len(lines) != 2:  # noqa: PLR2004  a line of names and a line of values
        raise WireError(f"/proc/<pid>/net/netstat: {len(lines)} lines begin with {_TABLE}, 2 are needed")
    return lines[0], lines[1]
