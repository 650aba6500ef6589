from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core.errors import WireError
from floodmark.core.sample import NetCounters, TargetLimits
from floodmark_agent.holders import find_holders, parse_socket_link
from floodmark_agent.limits import parse_limits, parse_pids_folders, read_limits
from floodmark_agent.netstat import parse_counters, read_counters

FIXTURES = Path(__file__).parents[2] / "fixtures" / "agent"
NETSTAT = (FIXTURES / "netstat.txt").read_bytes()
LIMITS = (FIXTURES / "limits.txt").read_text()


def put(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_counters_are_found_by_name() -> None:
    names, values = (line.split() for line in NETSTAT.decode().splitlines() if line.startswith("TcpExt:"))
    values[names.index("ListenOverflows")] = "12"
    values[names.index("ListenDrops")] = "13"
    values[names.index("TCPReqQFullDoCookies")] = "14"
    values[names.index("TCPReqQFullDrop")] = "15"

    found = parse_counters(f"{' '.join(names)}\n{' '.join(values)}\nIpExt: InNoRoutes\nIpExt: 0\n".encode())

    assert found == NetCounters(listen_overflows=12, listen_drops=13, req_q_full_do_cookies=14, req_q_full_drop=15)


def test_the_captured_counters_are_those_of_a_quiet_namespace() -> None:
    assert parse_counters(NETSTAT).listen_overflows == 0


@pytest.mark.parametrize(
    "text",
    ["", "TcpExt: ListenOverflows\n", "TcpExt: ListenOverflows\nTcpExt: 1\n", "TcpExt: a b\nTcpExt: 1\n"],
)
def test_a_table_without_the_counters_is_refused(text: str) -> None:
    with pytest.raises(WireError, match="netstat"):
        parse_counters(text.encode())


@given(st.integers(0, len(NETSTAT) - 1), st.binary(max_size=30))
def test_a_table_cut_short_or_with_garbage_is_counters_or_a_wire_error(end: int, garbage: bytes) -> None:
    try:
        found = parse_counters(NETSTAT[:end] + garbage + NETSTAT[end + len(garbage) :])
    except WireError:
        return
    assert isinstance(found, NetCounters)


def test_counters_of_a_process_that_is_gone_are_not_known(tmp_path: Path) -> None:
    assert read_counters(7, str(tmp_path)) is None


def test_soft_limits_are_read_and_unlimited_is_none() -> None:
    limits = parse_limits(LIMITS)

    assert (limits["Max open files"], limits["Max processes"], limits["Max cpu time"]) == (1024, 5000, None)


def test_limits_in_force_come_from_process_namespace_and_group(tmp_path: Path) -> None:
    put(tmp_path, "7/limits", LIMITS)
    put(tmp_path, "7/status", status(uid=1000, threads=9))
    put(tmp_path, "8/status", status(uid=1000, threads=5))
    put(tmp_path, "9/status", status(uid=1000, threads=3))
    put(tmp_path, "10/status", status(uid=1001, threads=70))
    put(tmp_path, "7/cgroup", "0::/web.slice/app.service\n")
    put(tmp_path, "sys/net/core/somaxconn", "4096\n")
    put(tmp_path, "sys/net/ipv4/tcp_max_syn_backlog", "512\n")
    put(tmp_path, "sys/net/ipv4/tcp_syncookies", "1\n")
    put(tmp_path, "cgroup/web.slice/app.service/pids.max", "max\n")
    put(tmp_path, "cgroup/web.slice/pids.max", "300\n")
    put(tmp_path, "cgroup/pids.max", "900\n")

    assert read_limits(7, str(tmp_path), str(tmp_path / "cgroup"), target={7, 8}) == TargetLimits(
        pid=7,
        open_files=1024,
        processes=5000,
        somaxconn=4096,
        tcp_max_syn_backlog=512,
        tcp_syncookies=1,
        tcp_abort_on_overflow=None,
        pids_max=300,
        other_tasks=3,
    )


def status(*, uid: int = 1000, threads: int = 1, powers: int = 0) -> str:
    """As proc(5) has it: real, effective, saved and file system user."""
    return f"Name:\tUid: 0\nUid:\t{uid}\t7\t7\t7\nThreads:\t{threads}\nCapEff:\t{powers:016x}\n"


@pytest.mark.parametrize(
    ("text", "processes"),
    [
        (status(), 5000),
        (status(powers=1 << 1 | 1 << 10), 5000),
        (status(uid=0), None),
        (status(powers=1 << 21), None),
        (status(powers=1 << 24), None),
        ("", 5000),
    ],
    ids=["a user", "other powers", "root", "CAP_SYS_ADMIN", "CAP_SYS_RESOURCE", "not known"],
)
def test_a_limit_on_processes_that_does_not_bind_is_none(tmp_path: Path, text: str, processes: int | None) -> None:
    put(tmp_path, "7/limits", LIMITS)
    put(tmp_path, "7/status", text)
    limits = read_limits(7, str(tmp_path), str(tmp_path))
    assert (limits.processes, limits.open_files) == (processes, 1024)
    assert limits.other_tasks == (0 if processes and text else None)


def test_the_groups_of_both_versions_are_looked_at_innermost_first() -> None:
    text = "9:name=systemd:/x\n8:pids:/a/b\n4:memory:/c\n0::/d\n"

    assert parse_pids_folders(text) == ["/pids/a/b", "/pids/a", "/pids", "/d", ""]


@given(st.text(max_size=200))
def test_garbage_never_breaks_the_limits(text: str) -> None:
    assert all(value is None or value >= 0 for value in parse_limits(text).values())
    assert isinstance(parse_pids_folders(text), list)


@pytest.mark.parametrize(
    ("link", "inode"),
    [("socket:[4711]", 4711), ("pipe:[4711]", None), ("socket:[]", None), ("socket:[x]", None), ("/dev/null", None)],
)
def test_only_a_socket_link_has_an_inode(link: str, inode: int | None) -> None:
    assert parse_socket_link(link) == inode


def test_holders_are_found_by_inode_and_closed_processes_named(tmp_path: Path) -> None:
    for pid, link in ((7, "socket:[1]"), (8, "socket:[2]"), (9, "socket:[1]")):
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        (tmp_path / str(pid) / "fd" / "3").symlink_to(link)

    assert find_holders([1, 5], [7, 8, 9, 10], str(tmp_path)) == ({1: {7, 9}}, [10])
