"""A run as it is noted: what goes into the header is what comes out of it."""

import os
import re
import threading
import time

from hypothesis import example, given
from hypothesis import strategies as st

from floodmark.core.evidence import format_server_timing, parse_server_timing
from floodmark.middleware.handler_run import HandlerRun


@given(st.text(min_size=1, max_size=30), st.floats(0, 1e6), st.floats(0, 3_600))
@example('a\\b"c', 1.0, 1.0)
@example("Thread1", 1.0, 1.0)
@example("Fäden", 1.0, 1.0)
def test_the_evidence_is_read_back_whatever_the_threads_name(name: str, begin_s: float, held_s: float) -> None:
    value = format_server_timing(begin_s, begin_s + held_s, 7, 9, name)
    evidence = parse_server_timing(value)
    assert evidence is not None
    assert abs(evidence.begin_s - begin_s) <= 1e-6
    assert abs(evidence.end_s - begin_s - held_s) <= 1e-6
    assert (evidence.pid, evidence.tid) == (7, 9)
    printable = "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in name)
    assert re.sub(r"\\(.)", r"\1", evidence.thread) == printable
    assert value.isascii()
    assert value.isprintable()


def test_a_run_names_the_thread_that_ended_it_on_the_monotonic_clock() -> None:
    values: list[str] = []

    def work() -> None:
        run = HandlerRun()
        values.append(run.ended())

    before_s = time.monotonic()
    thread = threading.Thread(target=work, name="worker 1")
    thread.start()
    thread.join()
    evidence = parse_server_timing(values[0])
    assert evidence is not None
    assert before_s - 1e-6 <= evidence.begin_s <= evidence.end_s <= time.monotonic() + 1e-6
    assert (evidence.pid, evidence.tid, evidence.thread) == (os.getpid(), thread.native_id, "worker 1")
