"""Reading a process' stat line."""

import dataclasses
import os
import signal

from hypothesis import given
from hypothesis import strategies as st

from floodmark_deploy.processes import ProcessNote, Wanted, parse_stat, read_process, send_signal

# Captured on Linux 6.18 and cut after field 22.
STAT = "7020 (gunicorn) S 7018 7018 6990 0 -1 4194368 2291 0 0 0 9 2 0 0 20 0 3 0 161269"


def test_a_stat_line_is_read() -> None:
    stat = parse_stat(STAT)
    assert (stat.name, stat.state, stat.session, stat.threads, stat.started_ticks) == ("gunicorn", "S", 6990, 3, 161269)


@given(st.text(max_size=15))
def test_a_name_may_contain_anything(name: str) -> None:
    stat = parse_stat(STAT.replace("(gunicorn)", f"({name})"))
    assert (stat.name, stat.session, stat.started_ticks) == (name, 6990, 161269)


def test_a_zombie_has_ended_and_one_with_other_threads_has_not() -> None:
    zombie = STAT.replace(") S ", ") Z ")
    assert not parse_stat(zombie).ended
    assert parse_stat(zombie.replace(" 20 0 3 0 ", " 20 0 1 0 ")).ended
    assert not parse_stat(STAT).ended


def test_this_process_is_found_by_session_and_can_be_skipped() -> None:
    session = frozenset({os.getsid(0)})
    assert os.getpid() in {note.pid for note in Wanted(sessions=session).find()}
    assert os.getpid() not in {note.pid for note in Wanted(sessions=session, skip=frozenset({os.getpid()})).find()}


def test_a_later_process_with_the_same_id_is_not_signalled() -> None:
    me = read_process(os.getpid())
    assert me is not None
    received: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: received.append(number))
    try:
        send_signal(dataclasses.replace(me, started_ticks=me.started_ticks - 1), signal.SIGUSR1)
        assert received == []
        send_signal(me, signal.SIGUSR1)
        assert received == [signal.SIGUSR1]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_process_that_is_gone_is_no_error() -> None:
    assert read_process(2**22 + 1) is None
    send_signal(ProcessNote(pid=2**22 + 1, session=0, started_ticks=0, words=""), signal.SIGKILL)
