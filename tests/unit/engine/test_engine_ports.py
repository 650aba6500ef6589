"""Source ports, as captured kernel files and as the kernel of this machine say it."""

import resource
import socket
from itertools import pairwise
from pathlib import Path

import pytest
from descriptors import open_files
from hypothesis import given
from hypothesis import strategies as st

from floodmark.engine.endpoint import Endpoint
from floodmark.engine.ports import (
    LocalPorts,
    PortShare,
    TimeWait,
    has_port_ranges,
    name_of_network,
    port_pressure,
    port_share,
    read_local_ports,
    read_time_wait,
    reuses_time_wait,
    usable_sources,
)

SOCKSTAT = """sockets: used 251
TCP: inuse 12 orphan 0 tw 4711 alloc 31 mem 5
UDP: inuse 3 mem 0
FRAG: inuse 0 memory 0
"""
LOOPBACK = Endpoint(family=socket.AF_INET, sockaddr=("127.0.0.1", 80), authority="")
LOOPBACK_V6 = Endpoint(family=socket.AF_INET6, sockaddr=("::1", 80, 0, 0), authority="")
ELSEWHERE = Endpoint(family=socket.AF_INET, sockaddr=("192.0.2.1", 80), authority="")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """What /proc has of ports: a tenth of the usual range, three ports of it reserved and one beyond."""
    settings = tmp_path / "sys/net/ipv4"
    settings.mkdir(parents=True)
    (settings / "ip_local_port_range").write_text("40000\t42999\n")
    (settings / "ip_local_reserved_ports").write_text("8080,40001-40002,42999\n")
    (settings / "tcp_tw_reuse").write_text("2\n")
    (tmp_path / "net").mkdir()
    (tmp_path / "net/sockstat").write_text(SOCKSTAT)
    return tmp_path


def test_the_ports_are_those_of_the_range_without_the_reserved_ones(proc: Path) -> None:
    ports = read_local_ports(proc)
    assert (ports.bounds, ports.count) == ((40000, 42999), 2997)


def test_no_reserved_ports_are_an_empty_line(proc: Path) -> None:
    (proc / "sys/net/ipv4/ip_local_reserved_ports").write_text("\n")
    assert read_local_ports(proc).count == 3000


ports = st.builds(
    lambda low, more, reserved: LocalPorts(low=low, high=low + more, reserved=tuple(reserved)),
    st.integers(1024, 40_000),
    st.integers(0, 25_000),
    st.lists(st.integers(1, 65_535).map(lambda port: (port, port)), unique=True, max_size=5),
)


@given(ports, st.integers(1, 64))
def test_the_parts_of_all_workers_are_the_whole_and_no_port_is_in_two(whole: LocalPorts, slots: int) -> None:
    parts = [whole.part(slot, slots) for slot in range(slots)]
    if whole.high - whole.low + 1 < slots:
        assert parts == [whole] * slots
        return
    assert (parts[0].low, parts[-1].high) == whole.bounds
    assert all(before.high + 1 == after.low for before, after in pairwise(parts))
    assert sum(part.count for part in parts) == whole.count
    sizes = [part.high - part.low for part in parts]
    assert max(sizes) - min(sizes) <= 1


def test_one_worker_alone_has_all_ports_as_its_range() -> None:
    share, whole = port_share((), slot=0, slots=1), read_local_ports()
    assert share == PortShare(bounds=whole.bounds if has_port_ranges() else None, ports=whole.count)


def test_several_workers_have_their_part_of_every_source() -> None:
    shares = [port_share(("127.0.0.2", "127.0.0.3"), slot=slot, slots=3) for slot in range(3)]
    whole = read_local_ports()
    assert sum(share.ports for share in shares) == pytest.approx(2 * whole.count, abs=2)
    if has_port_ranges():
        assert [share.bounds for share in shares] == [whole.part(slot, 3).bounds for slot in range(3)]


def test_time_wait_is_one_number_of_sockstat(proc: Path) -> None:
    assert read_time_wait(proc) == 4711
    (proc / "net/sockstat").write_text("sockets: used 251\nTCP: inuse 12\n")
    assert read_time_wait(proc) is None


def test_time_wait_is_what_this_kernel_says() -> None:
    assert read_time_wait() is not None


def test_time_wait_is_read_where_no_descriptor_is_left() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    time_wait = TimeWait()
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        found = time_wait.read(), time_wait.read(), read_time_wait()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found[:2] != (None, None)
    assert found[2] is None


def test_time_wait_is_not_known_where_the_kernel_has_no_such_file(tmp_path: Path) -> None:
    assert read_time_wait(tmp_path) is None


def test_time_wait_gives_its_file_back(proc: Path) -> None:
    before = open_files()
    time_wait = TimeWait(proc)
    (proc / "net/sockstat").write_text("TCP: inuse 12 tw 3\n")
    assert time_wait.read() == 3
    time_wait.close()
    assert time_wait.read() is None
    assert open_files() <= before


def test_a_network_has_one_name_and_another_network_another(tmp_path: Path) -> None:
    assert name_of_network() == name_of_network()
    for inode_of in ("a", "b"):
        (tmp_path / inode_of / "sys/kernel/random").mkdir(parents=True)
        (tmp_path / inode_of / "sys/kernel/random/boot_id").write_text("same-boot\n")
        (tmp_path / inode_of / "self/ns").mkdir(parents=True)
        (tmp_path / inode_of / "self/ns/net").touch()
    assert name_of_network(tmp_path / "a").startswith("same-boot/")
    assert name_of_network(tmp_path / "a") != name_of_network(tmp_path / "b")


def test_usable_sources_are_this_hosts_and_of_the_servers_ip_version() -> None:
    sources = ("127.0.0.2", "192.0.2.77", "::1", "127.9.9.9")
    assert usable_sources(sources, LOOPBACK) == ("127.0.0.2", "127.9.9.9")
    assert usable_sources(sources, LOOPBACK_V6) == ("::1",)


def test_a_loopback_address_has_no_way_to_another_host() -> None:
    assert usable_sources(("127.0.0.2",), ELSEWHERE) == ()


@pytest.mark.parametrize(
    ("mode", "endpoint", "reuses"),
    [
        ("0", LOOPBACK, False),
        ("1", ELSEWHERE, True),
        ("2", LOOPBACK, True),
        ("2", LOOPBACK_V6, True),
        ("2", ELSEWHERE, False),
    ],
)
def test_ports_in_time_wait_are_taken_again_where_the_kernel_may(
    proc: Path, mode: str, endpoint: Endpoint, *, reuses: bool
) -> None:
    (proc / "sys/net/ipv4/tcp_tw_reuse").write_text(mode + "\n")
    assert reuses_time_wait(endpoint, proc) is reuses


def test_there_is_room_until_four_fifths_of_the_ports_are_taken() -> None:
    assert port_pressure(800, 1000, None) is None
    assert port_pressure(300, 1000, 500) is None
    assert port_pressure(300, 1000, 600, reuses=True) is None


def test_pressure_is_said_with_its_numbers_and_a_remedy() -> None:
    near, waiting, beyond = (
        str(port_pressure(25_000, 28_232, None)),
        str(port_pressure(10_000, 28_232, 15_000)),
        str(port_pressure(30_000, 28_232, 0)),
    )
    assert near.startswith("25,000 connections are planned, and there are 28,232 source ports: they may run out")
    assert "10,000 connections are planned and 15,000 sockets are in TIME_WAIT" in waiting
    assert "28,232 source ports: too few" in beyond
    assert all("--source" in words for words in (near, waiting, beyond))
