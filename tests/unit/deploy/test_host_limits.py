"""What the kernel allows: read apart, judged apart."""

import dataclasses
import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core.open_files import raise_open_files_limit
from floodmark.core.source import parse_sources
from floodmark_deploy.host_facts import HostFacts, count_ports, parse_available, parse_cgroup_path, read_host_facts
from floodmark_deploy.limits import LimitFinding, LoadPlan, check_limits, judge

PLAN = LoadPlan(connections=10_000, workers=2)
AMPLE = HostFacts(
    nofile_soft=1_024,
    nofile_hard=20_000,
    nproc_soft=100_000,
    ports=28_232,
    somaxconn=4_096,
    tcp_max_syn_backlog=128,
    tcp_syncookies=1,
    conntrack_max=262_144,
    conntrack_count=10,
    memory_available_bytes=8 * 2**30,
    pid_max=32_768,
    threads_max=100_000,
    max_map_count=65_530,
    pids_max=50_000,
    cores=3,
)


def _short(facts: HostFacts, plan: LoadPlan = PLAN) -> list[LimitFinding]:
    return [finding for finding in judge(facts, plan) if not finding.ok]


def test_an_ample_machine_has_nothing_short_and_nothing_to_mend() -> None:
    findings = judge(AMPLE, PLAN)
    assert _short(AMPLE) == []
    assert {finding.remedy for finding in findings} == {""}
    assert len({finding.name for finding in findings}) == len(findings)


@pytest.mark.parametrize(
    ("field", "value", "need", "remedy", "blocking"),
    [
        ("ports", 9_999, 10_000, "sudo sysctl -w net.ipv4.ip_local_port_range='1024 65535'", True),
        ("somaxconn", 128, 2_048, "sudo sysctl -w net.core.somaxconn=2048", False),
        ("conntrack_max", 10_009, 10_010, "sudo sysctl -w net.netfilter.nf_conntrack_max=10010", True),
        ("memory_available_bytes", 2**30, None, "lower --requests or --connections", True),
        ("pid_max", 10_999, 11_000, "sudo sysctl -w kernel.pid_max=11000", False),
        ("threads_max", 10_999, 11_000, "sudo sysctl -w kernel.threads-max=11000", False),
        ("nproc_soft", 2_784, 11_000, "sudo prlimit --pid $$ --nproc=11000", False),
        ("max_map_count", 21_999, 22_000, "sudo sysctl -w vm.max_map_count=22000", False),
        ("pids_max", 100, 11_000, "sudo systemctl set-property --runtime user-$UID.slice TasksMax=11000", False),
        ("cores", 2, 3, "lower --workers, or use more hosts", False),
    ],
)
def test_each_limit_that_is_short_is_found_with_its_remedy(
    field: str, value: int, need: int | None, remedy: str, *, blocking: bool
) -> None:
    (finding,) = _short(dataclasses.replace(AMPLE, **{field: value}))
    assert (finding.have, finding.remedy, finding.blocking) == (value, remedy, blocking)
    assert finding.need is not None
    assert finding.need == (need or finding.need) > value


def test_a_worker_needs_files_for_its_share_and_the_target_for_all() -> None:
    worker, target = _short(dataclasses.replace(AMPLE, nofile_hard=5_000))
    assert (worker.need, target.need) == (5_000 + 256, 10_000 + 128)
    assert worker.remedy == "sudo prlimit --pid $$ --nofile=5256:5256"


def test_an_odd_request_is_somebodys() -> None:
    assert LoadPlan(connections=10_001, workers=2).worker_files == 5_001 + 256


def test_a_limit_that_the_target_file_sets_is_all_the_target_needs() -> None:
    facts = dataclasses.replace(AMPLE, nofile_hard=6_000)
    assert _short(facts, LoadPlan(connections=10_000, workers=2, target_nofile=256)) == []
    assert len(_short(facts, LoadPlan(connections=10_000, workers=2, target_nofile=6_001))) == 1


AMPLE_FOR_MANY = HostFacts(nofile_hard=2_000_000, ports=28_232, somaxconn=4_096, tcp_syncookies=1, cores=3)


def test_each_source_address_has_all_the_ports() -> None:
    four = LoadPlan(connections=100_000, workers=2, sources=4)
    assert _short(AMPLE_FOR_MANY, four) == []
    (finding,) = _short(AMPLE_FOR_MANY, dataclasses.replace(four, sources=3))
    assert (finding.name, finding.have) == ("source ports of 3 client addresses", 3 * 28_232)
    assert finding.remedy == "sudo sysctl -w net.ipv4.ip_local_port_range='1024 65535'"


@pytest.mark.parametrize(
    ("connections", "sources", "remedy"),
    [
        (64_512, 1, "sudo sysctl -w net.ipv4.ip_local_port_range='1024 65535'"),
        (64_513, 1, "send from more addresses: --source 127.0.0.2-127.0.0.4"),
        (1_000_000, 4, "send from more addresses: --source 127.0.0.2-127.0.0.37"),
    ],
)
def test_more_ports_than_an_address_has_are_had_from_more_addresses_and_no_sysctl(
    connections: int, sources: int, remedy: str
) -> None:
    (finding,) = _short(AMPLE_FOR_MANY, LoadPlan(connections=connections, workers=2, sources=sources))
    assert (finding.need, finding.remedy, finding.blocking) == (connections, remedy, True)
    if "--source" in remedy:
        named = len(parse_sources(remedy.rsplit(maxsplit=1)[-1]))
        assert named * 28_232 >= connections > (named - 1) * 28_232


def test_without_syn_cookies_the_syn_backlog_counts() -> None:
    (finding,) = _short(dataclasses.replace(AMPLE, tcp_syncookies=0))
    assert (finding.name, finding.need) == ("tcp_max_syn_backlog", 10_000)


def test_what_is_not_known_is_not_short() -> None:
    unknown = HostFacts(cores=3)
    assert _short(unknown) == []
    assert "nf_conntrack_max" not in {finding.name for finding in judge(unknown, PLAN)}


def test_this_machine_is_read() -> None:
    facts = read_host_facts()
    assert facts.cores >= 1
    assert facts.somaxconn
    assert facts.ports
    assert facts.memory_available_bytes
    assert any(finding.have == facts.somaxconn for finding in check_limits(LoadPlan(connections=10, workers=1)))


def test_a_machine_without_these_files_says_nothing(tmp_path: Path) -> None:
    facts = read_host_facts(tmp_path, tmp_path)
    assert (facts.ports, facts.somaxconn, facts.memory_available_bytes, facts.pids_max) == (None, None, None, None)


def test_the_tightest_cgroup_above_counts(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/user.slice/mine\n")
    own = tmp_path / "cgroup/user.slice/mine"
    own.mkdir(parents=True)
    (own / "pids.max").write_text("max\n")
    (own.parent / "pids.max").write_text("700\n")
    (tmp_path / "pids.max").write_text("1\n")  # above the tree's root: none of it
    assert read_host_facts(tmp_path / "proc", tmp_path / "cgroup").pids_max == 700


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    try:
        assert raise_open_files_limit() == before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize(
    ("local_range", "reserved", "ports"),
    [
        ("32768\t60999", "", 28_232),
        ("32768\t60999", None, 28_232),
        ("32768\t60999", "8080,32768,40000-40009", 28_221),
        ("32768\t60999", "60990-65535", 28_222),
        ("", "", None),
        (None, None, None),
    ],
)
def test_reserved_ports_are_taken_off(local_range: str | None, reserved: str | None, ports: int | None) -> None:
    assert count_ports(local_range, reserved) == ports


@given(st.integers(1, 65_535), st.integers(1, 65_535), st.sets(st.integers(1, 65_535), max_size=20))
def test_ports_are_those_of_the_range_that_are_not_reserved(low: int, high: int, reserved: set[int]) -> None:
    low, high = min(low, high), max(low, high)
    words = ",".join(map(str, sorted(reserved)))
    assert count_ports(f"{low} {high}", words) == len(set(range(low, high + 1)) - reserved)


def test_available_memory_is_in_bytes() -> None:
    assert parse_available("MemTotal: 10 kB\nMemAvailable:   2048 kB\n") == 2_097_152
    assert parse_available("MemTotal: 10 kB\n") is None


def test_only_the_unified_cgroup_counts() -> None:
    assert parse_cgroup_path("5:pids:/old\n0::/user.slice/a\n") == "/user.slice/a"
    assert parse_cgroup_path("5:pids:/old\n") is None
