"""The small records: profiles, clocks, addresses, evidence, targets, outcomes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core.address import Address, parse_url
from floodmark.core.clock import read_clock
from floodmark.core.errors import FloodmarkError, PlanError, UsageError
from floodmark.core.evidence import parse_server_timing
from floodmark.core.outcomes import Outcome, Side
from floodmark.core.profile import BurstProfile
from floodmark.core.target import read_target


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"requests": 0}, "--requests 0"),
        ({"requests": -5}, "--requests -5"),
        ({"within_s": -1.0}, "--within -1"),
        ({"hold_s": 0.0}, "--hold 0"),
        ({"hold_s": -2.0}, "--hold -2"),
        ({"timeout_s": 0.0}, "--timeout 0"),
        ({"hold_s": 5.0, "timeout_s": 5.0}, "--hold 5 is not shorter than --timeout 5"),
        ({"hold_s": 9e9}, "--hold 9e+09"),
    ],
)
def test_a_profile_that_cannot_be_meant_is_refused_by_its_option(change, words):
    with pytest.raises(UsageError, match=words.replace("+", r"\+")):
        BurstProfile(**({"requests": 10, "within_s": 0.0, "hold_s": 1.0} | change))


def test_a_run_lasts_three_holds_after_the_last_release_or_one_timeout():
    assert BurstProfile(requests=10, within_s=10.0, hold_s=5.0).longest_s == 25.0
    assert BurstProfile(requests=10, within_s=10.0, hold_s=5.0, timeout_s=7.0).longest_s == 17.0


def test_a_short_hold_still_leaves_time_for_a_syn_retry():
    assert BurstProfile(requests=10, within_s=0.0, hold_s=0.1).wait_s == 2.0


@given(st.integers(min_value=1, max_value=5000), st.floats(min_value=0, max_value=100))
def test_releases_are_even_and_begin_at_once(requests, within_s):
    profile = BurstProfile(requests=requests, within_s=within_s, hold_s=1.0)
    offsets = [profile.planned_offset_s(number) for number in range(1, requests + 1)]
    assert offsets[0] == 0.0
    assert offsets == sorted(offsets)
    assert offsets[-1] <= within_s


@given(st.integers(1, 500), st.integers(1, 12))
def test_workers_share_a_burst_without_gaps_and_each_id_once(requests, workers):
    profile = BurstProfile(requests=requests, within_s=3.0, hold_s=1.0)
    shares = [profile.share(first_id, workers, 100.0) for first_id in range(1, workers + 1)]
    planned = sorted(item for share in shares for item in share)
    assert [request_id for request_id, _ in planned] == list(range(1, requests + 1))
    assert all(at_s == 100.0 + profile.planned_offset_s(request_id) for request_id, at_s in planned)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_clock_is_read_from_the_quickest_exchange():
    slow, quick = (0.0, 105.0, 105.0, 2.0), (10.0, 110.4, 110.5, 10.3)
    reading = read_clock("agent", [slow, quick])
    assert reading.offset_s == pytest.approx(100.3)
    assert reading.bound_s == pytest.approx(0.1)


@given(st.floats(-1e6, 1e6), st.floats(0, 10), st.floats(0, 10), st.floats(0, 10))
def test_the_true_offset_lies_within_the_bound(offset_s, there_s, back_s, inside_s):
    received_s = there_s + offset_s
    reading = read_clock("n", [(0.0, received_s, received_s + inside_s, there_s + inside_s + back_s)])
    assert abs(reading.offset_s - offset_s) <= reading.bound_s + 1e-6


def test_a_clock_reading_goes_both_ways():
    reading = read_clock("n", [(0.0, 50.0, 50.0, 0.0)])
    assert reading.to_node_s(7.0) == 57.0
    assert reading.to_master_s(57.0) == 7.0


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "authority"),
    [
        ("http://127.0.0.1:9000/slow?hold=3", "127.0.0.1", 9000, "/slow?hold=3", "127.0.0.1:9000"),
        ("http://[::1]:9000/", "::1", 9000, "/", "[::1]:9000"),
        ("http://localhost", "localhost", 80, "/", "localhost:80"),
        ("http://h:1?a=b", "h", 1, "/?a=b", "h:1"),
        ("https://h/x", "h", 443, "/x", "h:443"),
        ("https://[::1]:8443", "::1", 8443, "/", "[::1]:8443"),
    ],
)
def test_a_url_is_taken_apart(url, host, port, path, authority):
    address = parse_url(url)
    assert address == Address(host=host, port=port, path=path, scheme=url.partition(":")[0])
    assert address.authority == authority
    assert address.is_secure == url.startswith("https:")
    assert address.url == f"{address.scheme}://{authority}{path}"


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:80", "ftp://h/", "http://", "http://h:99999/", "http://h:x/", "http://h:0/"]
)
def test_what_is_no_http_url_is_refused_with_the_url_in_the_words(url):
    with pytest.raises(UsageError) as caught:
        parse_url(url)
    assert repr(url) in str(caught.value)


def test_evidence_is_read_from_among_other_metrics():
    value = 'db;dur=3, floodmark;dur=5.0;begin=1.5;end=2.5;pid=7;tid=9;thread="Thread-1 (run)", cache;desc="x;begin=9"'
    evidence = parse_server_timing(value)
    assert evidence is not None
    assert (evidence.begin_s, evidence.end_s, evidence.pid, evidence.tid) == (1.5, 2.5, 7, 9)
    assert evidence.thread == "Thread-1 (run)"


def test_evidence_ends_where_the_next_metric_begins():
    evidence = parse_server_timing("floodmark;begin=1;end=2;pid=7;tid=9, app;begin=98;end=99;pid=1;tid=1")
    assert evidence is not None
    assert (evidence.begin_s, evidence.pid) == (1.0, 7)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "db;dur=3",
        "floodmark",
        "floodmark;dur=1",
        "floodmark;begin=x;end=1;pid=1;tid=1",
        "notfloodmark;begin=1;end=2;pid=1;tid=1",
        "floodmark;begin=1;end=2, app;pid=1;tid=1",
    ],
)
def test_without_complete_evidence_there_is_none(value):
    assert parse_server_timing(value) is None


@given(st.text())
def test_no_header_breaks_the_parser_of_evidence(value):
    parse_server_timing("floodmark;" + value)


def test_every_failure_has_a_side_and_nothing_else_has():
    assert all((outcome.side is not None) == outcome.failed for outcome in Outcome)
    assert Outcome.OUT_OF_FILES.side is Side.GENERATOR
    assert not Outcome.WAITING.failed


def test_a_target_file_is_read_with_defaults_from_its_folder(tmp_path):
    folder = tmp_path / "my-server"
    folder.mkdir()
    (folder / "target.toml").write_text('[start]\ncommand = ["serve", "{port}"]\n')
    spec = read_target(folder)
    assert (spec.name, spec.start.command, spec.folder) == ("my-server", ("serve", "{port}"), str(folder))
    assert spec.request.holds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "needs the field 'start'"),
        ("[start]\n", "needs the field 'command'"),
        ('[start]\ncommand = "serve"\n', "start: command: expected a list, got 'serve'"),
        ('[start]\ncommand = ["a"]\nports = 1\n', "no field 'ports'"),
        ("= =", "not valid TOML"),
        ("[start]\ncommand = []\n", "command is empty"),
        ('[start]\ncommand = ["a"]\nport = 70000\n', "port 70000"),
        ('[start]\ncommand = ["a"]\n[ready]\ntimeout_s = -3\n', "timeout_s -3"),
        ('[start]\ncommand = ["a"]\n[request]\npath = "no-slash"\n', "path 'no-slash': must begin with '/'"),
        ('[start]\ncommand = ["a"]\n[request]\nstatus = 9999\n', "status 9999"),
        ('[start]\ncommand = ["a"]\n[request]\nmatches = "(a"\n', "matches '(a': not a regular expression"),
        ('[start]\ncommand = ["a"]\n[limits]\nnofile = 0\n', "nofile 0"),
        ('[start]\ncommand = ["a"]\n[limits]\nnproc = 0\n', "nproc 0"),
        ('[start]\ncommand = ["a"]\n[limits]\nsysctl = {"kernel.pid_max" = "9"}\n', "sysctl 'kernel.pid_max'"),
        ('[start]\ncommand = ["a"]\n[limits]\nsysctl = {"net.ipv4..x" = "9"}\n', "sysctl 'net.ipv4..x'"),
        ('[start]\ncommand = ["a"]\n[limits]\nsysctl = {"net.core/../x" = "9"}\n', "sysctl 'net.core/../x'"),
        ('[start]\ncommand = ["a"]\n[ready]\nstatus = 99\n', "status 99"),
        ('[start]\ncommand = ["a"]\n[ready]\ncontains = "up"\n', "contains without a status"),
        ('[start]\ncommand = ["a"]\n[expect]\nfailures = ["boom"]\n', "failures has 'boom': give kinds of failure"),
        ('[start]\ncommand = ["a"]\n[expect]\nfailures = ["waiting"]\n', "failures has 'waiting'"),
    ],
)
def test_a_target_file_that_does_not_fit_is_named_with_its_place(tmp_path, text, words):
    file = tmp_path / "target.toml"
    file.write_text(text)
    with pytest.raises(PlanError) as caught:
        read_target(file)
    assert str(file) in str(caught.value)
    assert words in str(caught.value)


def test_a_target_file_that_is_not_there_or_not_readable_is_named(tmp_path):
    with pytest.raises(PlanError, match="no such file"):
        read_target(tmp_path / "nowhere.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PlanError, match="cannot be read"):
        read_target(tmp_path / "binary.toml")


def test_every_error_has_a_documented_exit_code():
    def tree(error):
        return [error, *(leaf for child in error.__subclasses__() for leaf in tree(child))]

    assert {error.exit_code for error in tree(FloodmarkError)} <= {1, 2, 3, 99, 130}
