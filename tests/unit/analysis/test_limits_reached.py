"""Which limit a target ran into: two that look the same to a client are told apart by the figure that shows each."""

from dataclasses import replace

import pytest
from simulated import FIRED_S, WORKER_OFFSET_S, Server, Simulation

from floodmark.analysis.document import LimitKind
from floodmark.analysis.judge import judge
from floodmark.analysis.suite import found_of
from floodmark.core.outcomes import Outcome
from floodmark.core.sample import NetCounters, TargetLimits

LIMITS = TargetLimits(
    pid=100,
    open_files=20_000,
    processes=90_000,
    somaxconn=4_096,
    tcp_max_syn_backlog=2_048,
    tcp_syncookies=1,
    tcp_abort_on_overflow=0,
    pids_max=None,
)
LOOP = Server(slots=100, unit="loop", reads_at_once=False)
THREADS = Server(slots=None, reused=False, pool_stands=False)
STARTED_S = FIRED_S + WORKER_OFFSET_S


def recorded(server=THREADS, requests=100, **limits):
    recording = Simulation(server=server, requests=requests, hold_s=2.0).record()
    return replace(recording, manifest=replace(recording.manifest, limits=replace(LIMITS, **limits)))


def failing(recording, outcome, *, every=2):
    hits = tuple(
        replace(hit, outcome=outcome, status=None, ended_s=STARTED_S + 0.01, first_byte_s=None, handler_begin_s=None)
        if hit.id % every == 0
        else hit
        for hit in recording.hits
    )
    return replace(recording, hits=hits)


def counting(recording, **counters):
    """The namespace's counters went up during the load."""
    none = NetCounters(listen_overflows=7, listen_drops=7, req_q_full_do_cookies=7, req_q_full_drop=7)
    more = replace(none, **{name: getattr(none, name) + number for name, number in counters.items()})
    samples = tuple(replace(s, counters=more if s.sequence > 10 else none) for s in recording.samples)
    return replace(recording, samples=samples)


def with_processes(recording, **changes):
    def changed(sample):
        return replace(sample, processes=tuple(replace(process, **changes) for process in sample.processes))

    return replace(recording, samples=tuple(map(changed, recording.samples)))


def verdict(recording):
    return judge(recording).document.verdict


def kept_out():
    """Half of the clients get in a second late: their first SYN was dropped."""
    return recorded(replace(THREADS, lets_in=50))


def test_files_at_their_limit_are_named_with_both_figures():
    found = verdict(failing(with_processes(recorded(open_files=256), open_files=256), Outcome.RESET))
    (limit,) = found.limits
    assert (limit.kind, limit.short) == (LimitKind.OPEN_FILES, "open files (256 of 256)")
    assert "What ran out: open files (256 of 256)." in found.sentence
    assert limit.words in found.advice
    assert not any(text.startswith("Connections were reset") for text in found.advice)


@pytest.mark.parametrize(("named", "words"), [("processes", "RLIMIT_NPROC"), ("pids_max", "pids.max")])
def test_threads_at_their_limit_explain_errors_and_closed_connections(named, words):
    found = verdict(failing(recorded(**{named: 101}), Outcome.CLOSED))
    (limit,) = found.limits
    assert (limit.kind, limit.short) == (LimitKind.THREADS, "threads (101 of 101)")
    assert words in limit.words
    assert "can't start new thread" in limit.words
    assert not any("crashed" in text for text in found.advice)


def test_threads_at_their_limit_are_not_told_where_nothing_shows_it():
    assert verdict(recorded(processes=101)).limits == ()


@pytest.mark.parametrize("named", ["processes", "pids_max"])
def test_a_limit_on_threads_that_was_passed_does_not_bind(named):
    assert verdict(failing(recorded(**{named: 50}), Outcome.CLOSED)).limits == ()


def test_what_else_the_user_runs_counts_against_its_threads():
    (limit,) = verdict(failing(recorded(processes=150, other_tasks=48), Outcome.CLOSED)).limits
    assert limit.short == "threads (101 of 150, which its user's 48 others count against)"
    assert "for all that its user runs, 48 others among them" in limit.words
    assert verdict(failing(recorded(processes=150, other_tasks=30), Outcome.CLOSED)).limits == ()


def refusing(slots=100, refused=50, **server):
    """A loop that is full lets nobody in: all who come after the first `slots` are cut off at once."""
    recording = recorded(replace(Server(slots=None, unit="loop"), **server), requests=slots)
    # All are inside by then; a reconstruction has them there somewhat later, for it goes by when answers were read.
    came_s = STARTED_S + 0.0035
    late = tuple(
        replace(
            recording.hits[0],
            id=slots + number,
            connected_s=came_s,
            ended_s=came_s + 0.001,
            outcome=Outcome.RESET if number % 2 else Outcome.CLOSED,
            status=None,
            first_byte_s=None,
            handler_begin_s=None,
            handler_end_s=None,
        )
        for number in range(1, refused + 1)
    )
    profile = replace(recording.manifest.profile, requests=slots + refused)
    return replace(recording, hits=(*recording.hits, *late), manifest=replace(recording.manifest, profile=profile))


@pytest.mark.parametrize("evidence", [True, False])
def test_a_full_server_that_cuts_off_who_comes_has_a_limit_of_its_own(evidence):
    (limit,) = verdict(refusing(evidence=evidence)).limits
    assert (limit.kind, limit.short) == (LimitKind.CONNECTIONS, "its own limit on connections (about 100)")
    assert "let 50 clients in and cut them off when 100 were in service" in limit.words
    assert "(10 of 20,000)" in limit.words


def test_two_that_came_last_and_were_cut_off_show_no_limit():
    assert verdict(refusing(refused=2)).limits == ()
    assert verdict(refusing(refused=3)).limits != ()
    assert verdict(refusing(slots=300, refused=6)).limits == ()


@pytest.mark.parametrize(
    ("requests", "every"), [(300, 300), (300, 150), (100, 20), (100, 2)], ids=["1 of 300", "2", "every 20th", "half"]
)
def test_requests_that_were_dropped_here_and_there_show_no_limit(requests, every):
    found = verdict(failing(recorded(Server(slots=None, unit="loop"), requests=requests), Outcome.CLOSED, every=every))
    assert found.limits == ()
    assert "What ran out" not in found.sentence
    assert any("crashed or killed worker" in text for text in found.advice)


def test_a_server_that_cuts_clients_off_before_it_is_full_shows_no_limit():
    recording = refusing(evidence=False)
    early = tuple(
        replace(hit, ended_s=STARTED_S + 0.001) if hit.outcome is not Outcome.ANSWERED else hit
        for hit in recording.hits
    )
    ramp = Simulation(server=Server(slots=None, unit="loop", accept_every_s=0.01), requests=100, hold_s=2.0).record()
    ramp = replace(ramp, manifest=replace(recording.manifest), hits=(*ramp.hits, *early[100:]))
    assert verdict(ramp).limits == ()


def test_a_process_that_died_is_no_limit():
    recording = refusing()
    assert verdict(recording).limits != ()
    dead = tuple(replace(s, processes=()) if s.sequence > 20 else s for s in recording.samples)
    assert verdict(replace(recording, samples=dead)).limits == ()


def test_event_loops_that_stop_accepting_have_a_limit_of_their_own():
    (limit,) = verdict(recorded(LOOP, requests=300)).limits
    assert limit.short == "its own limit on connections (100, the others not accepted)"
    assert "200 stayed in the accept queue" in limit.words


@pytest.mark.parametrize(
    ("server", "requests"),
    [
        (replace(LOOP, unit="thread"), 300),
        (replace(LOOP, slots=1), 300),
        (replace(LOOP, reads_at_once=True), 300),
        (replace(LOOP, reads_at_once=True), 108),
    ],
    ids=["threads", "a loop that blocks", "a line inside", "a short line inside"],
)
def test_other_servers_whose_requests_wait_have_none(server, requests):
    found = verdict(recorded(server, requests=requests))
    assert (found.in_service.ceiling, found.limits) == (server.slots, ())


def test_a_full_line_of_half_open_connections_is_told_with_and_without_cookies():
    with_cookies = verdict(counting(kept_out(), listen_overflows=50, req_q_full_do_cookies=40))
    without = verdict(counting(kept_out(), listen_overflows=50, req_q_full_drop=40))
    assert [limit.short for limit in with_cookies.limits] == [
        "accept queue (50 overflows)",
        "SYN queue (40 SYN cookies)",
    ]
    assert [limit.short for limit in without.limits] == ["accept queue (50 overflows)", "SYN queue (40 SYN dropped)"]
    assert "half open" in with_cookies.limits[1].words
    assert "stay connecting" in without.limits[1].words


def test_the_kernels_resets_are_told_from_the_servers():
    recording = failing(counting(kept_out(), listen_overflows=50), Outcome.RESET, every=4)
    limits = replace(LIMITS, tcp_abort_on_overflow=1)
    aborting = verdict(replace(recording, manifest=replace(recording.manifest, limits=limits)))
    assert "tcp_abort_on_overflow is 1" in aborting.limits[-1].words
    assert "(25 resets)" in aborting.limits[-1].words
    assert not any("tcp_abort_on_overflow" in limit.words for limit in verdict(recording).limits)


def test_counters_of_the_namespace_say_nothing_where_every_client_got_in():
    assert verdict(counting(recorded(), listen_overflows=50, req_q_full_drop=40)).limits == ()


def test_nothing_is_said_where_no_limit_was_read():
    recording = failing(recorded(), Outcome.SERVER_ERROR)
    unknown = replace(recording, manifest=replace(recording.manifest, limits=None))
    assert verdict(unknown).limits == ()
    assert any("5xx" in text for text in verdict(unknown).advice)


def test_a_suites_row_has_what_ran_out_and_not_the_line_that_it_shows_anyway():
    document = judge(counting(kept_out(), listen_overflows=50, req_q_full_drop=40)).document
    assert found_of(document).limits == ("SYN queue (40 SYN dropped)",)
    files = judge(with_processes(recorded(open_files=256), open_files=255)).document
    assert found_of(files).limits == ("open files (255 of 256)",)
