import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core.errors import WireError
from floodmark_agent.process_stat import parse_stat
from floodmark_agent.processes import _KEPT_PROCESSES, ProcessReader

FIXTURES = Path(__file__).parents[2] / "fixtures" / "agent"
STAT = (FIXTURES / "stat-brackets.txt").read_text()


def put_process(proc: Path, pid: int, *, tasks: tuple[int, ...], state: str = "S", start: int = 5) -> None:
    fields = ["0"] * 50
    fields[:2] = [state, "1"]
    fields[11], fields[12] = "100", "50"
    fields[17], fields[19] = str(len(tasks)), str(start)
    folder = proc / str(pid)
    (folder / "fd").mkdir(parents=True, exist_ok=True)
    for name in ("0", "1", "2"):
        (folder / "fd" / name).touch()
    for task in (folder / "task").glob("*"):
        task.rmdir()
    for task_id in tasks:
        (folder / "task" / str(task_id)).mkdir(parents=True)
    (folder / "stat").write_text(f"{pid} (server) {' '.join(fields)}\n")
    (folder / "statm").write_text("1000 25 10 1 0 5 0\n")


def test_a_name_with_brackets_and_spaces_is_read_whole() -> None:
    stat = parse_stat(STAT)

    assert (stat.name, stat.state, stat.threads) == ("a) b (c", "R", 12)
    assert not stat.is_zombie
    assert stat.start_ticks > 0


@pytest.mark.parametrize("text", ["", "7 server S 1", "7 (server) S 1 2 3", "7 (server) " + "S x " * 30, "7 " * 30])
def test_a_line_that_is_no_stat_is_refused(text: str) -> None:
    with pytest.raises(WireError, match="stat"):
        parse_stat(text)


@given(st.text(max_size=80))
def test_garbage_raises_nothing_but_wire_errors(text: str) -> None:
    with pytest.raises(WireError):
        parse_stat(text)


@given(st.integers(0, len(STAT) - 1))
def test_a_line_cut_short_is_complete_enough_or_a_wire_error(end: int) -> None:
    try:
        assert parse_stat(STAT[:end]).name == "a) b (c"
    except WireError:
        assert end < 120


def test_a_process_is_read_with_its_threads_files_memory_and_cpu(tmp_path: Path) -> None:
    put_process(tmp_path, 7, tasks=(7, 8, 9))

    (sample,) = ProcessReader(str(tmp_path)).read([7])

    assert (sample.pid, sample.parent, sample.name, sample.threads) == (7, 1, "server", 3)
    assert sample.open_files == 3
    assert sample.rss_bytes == 25 * resource.getpagesize()
    assert sample.cpu_s == pytest.approx(1.5)


def test_threads_that_began_and_ended_between_two_samples_are_told_apart(tmp_path: Path) -> None:
    reader = ProcessReader(str(tmp_path))
    seen = []
    for tasks in ((7, 8), (7, 8), (7, 9, 10), (7,), (7,), (7,)):
        put_process(tmp_path, 7, tasks=tasks)
        (sample,) = reader.read([7])
        seen.append((sample.threads_started, sample.threads_ended))

    assert seen == [(2, 0), (0, 0), (2, 1), (0, 2), (0, 0), (0, 0)]


def test_another_process_with_the_same_id_starts_anew(tmp_path: Path) -> None:
    reader = ProcessReader(str(tmp_path))
    put_process(tmp_path, 7, tasks=(7, 8), start=5)
    reader.read([7])
    put_process(tmp_path, 7, tasks=(7, 8), start=6)

    (sample,) = reader.read([7])

    assert (sample.threads_started, sample.threads_ended) == (2, 0)


def test_the_threads_are_listed_again_only_where_some_process_or_thread_was_started(tmp_path: Path) -> None:
    reader = ProcessReader(str(tmp_path))
    seen = []
    for newest, tasks in ((30, (7, 8)), (30, (7, 9)), (31, (7, 9)), (31, (7,)), (32, (7, 10))):
        (tmp_path / "loadavg").write_text(f"0.10 0.20 0.30 1/99 {newest}\n")
        put_process(tmp_path, 7, tasks=tasks)
        (sample,) = reader.read([7])
        seen.append((sample.threads_started, sample.threads_ended))

    # The second has another thread though none was started, as no kernel does: it shows that nobody looked.
    assert seen == [(2, 0), (0, 0), (1, 1), (0, 1), (1, 0)]


def test_more_processes_than_files_are_kept_open_for_are_all_read(tmp_path: Path) -> None:
    pids = range(100, 100 + _KEPT_PROCESSES + 20)
    for pid in pids:
        put_process(tmp_path, pid, tasks=(pid,))
    reader = ProcessReader(str(tmp_path))
    before = len(list(Path("/proc/self/fd").iterdir()))

    samples = [reader.read(pids) for _ in range(2)][-1]

    assert [sample.pid for sample in samples] == list(pids)
    assert len(list(Path("/proc/self/fd").iterdir())) - before <= 2 * _KEPT_PROCESSES
    reader.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_zombies_and_processes_that_are_gone_are_left_out(tmp_path: Path) -> None:
    put_process(tmp_path, 7, tasks=(7,), state="Z")
    put_process(tmp_path, 8, tasks=(8,))

    assert [sample.pid for sample in ProcessReader(str(tmp_path)).read([9, 8, 7])] == [8]


def test_what_cannot_be_read_is_not_known(tmp_path: Path) -> None:
    put_process(tmp_path, 7, tasks=(7,))
    (tmp_path / "7" / "statm").unlink()
    for name in ("0", "1", "2"):
        (tmp_path / "7" / "fd" / name).unlink()
    (tmp_path / "7" / "fd").rmdir()

    (sample,) = ProcessReader(str(tmp_path)).read([7])

    assert (sample.open_files, sample.rss_bytes) == (None, None)
