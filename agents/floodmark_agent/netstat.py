"""Counters of dropped and overflowing connections from ``/proc/<pid>/net/netstat``: events, not connections."""

import functools

from floodmark.core.errors import WireError
from floodmark.core.sample import NetCounters
from floodmark_agent.proc import ROOT, KeptFile

_TABLE = b"TcpExt:"


_COUNTERS = ("ListenOverflows", "ListenDrops", "TCPReqQFullDoCookies", "TCPReqQFullDrop")


class CounterReader:
    """The counters of one network namespace, again and again. The file that it keeps outlives the process."""

    def __init__(self, pid: int | None, proc: str = ROOT) -> None:
        """Of the process' namespace; without `pid`, of this one's."""
        self._file = KeptFile(f"{proc}/{'self' if pid is None else pid}/net/netstat")

    def read(self) -> NetCounters | None:
        """The counters; None where they cannot be read. Raises `WireError` where the table lacks one."""
        content = self._file.read()
        return None if content is None else parse_counters(content)

    def close(self) -> None:
        """Gives the file back."""
        self._file.close()


def read_counters(pid: int | None, proc: str = ROOT) -> NetCounters | None:
    """One reading of the counters, as `CounterReader` makes it."""
    reader = CounterReader(pid, proc)
    try:
        return reader.read()
    finally:
        reader.close()


def parse_counters(content: bytes) -> NetCounters:
    """Reads the table's two lines, names and values. Raises `WireError` where a counter is not among them."""
    names, values = _table(content)
    try:
        found = values.split()
        overflows, drops, cookies, full = (int(found[column]) for column in _columns(names, len(found)))
    except ValueError as error:
        raise WireError(f"/proc/<pid>/net/netstat: {_TABLE.decode()} does not say what it should: {error}") from None
    return NetCounters(
        listen_overflows=overflows, listen_drops=drops, req_q_full_do_cookies=cookies, req_q_full_drop=full
    )


@functools.lru_cache(maxsize=4)
def _columns(names: bytes, count: int) -> tuple[int, ...]:
    """Where the counters stand. The same on every beat: a kernel does not change its names."""
    words = names.decode("utf-8", "replace").split()
    if len(words) != count:
        raise ValueError(f"{len(words)} names and {count} values")
    return tuple(words.index(name) for name in _COUNTERS)


def _table(content: bytes) -> tuple[bytes, bytes]:
    lines = [line for line in content.split(b"\n") if line.startswith(_TABLE)]
    if len(lines) != 2:  # noqa: PLR2004  a line of names and a line of values
        raise WireError(f"/proc/<pid>/net/netstat: {len(lines)} lines begin with {_TABLE.decode()}, 2 are needed")
    return lines[0], lines[1]
