import resource
import shutil
from pathlib import Path

import pytest
from descriptors import open_files
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
    before = open_files()

    samples = [reader.read(pids) for _ in range(2)][-1]

    assert [sample.pid for sample in samples] == list(pids)
    assert len(open_files() - before) <= 2 * _KEPT_PROCESSES
    reader.close()
    assert open_files() <= before


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


class Costs:
    """A clock, and CPU time that the readings of a fake /proc cost: each look at the CPU clock is one reading's."""

    def __init__(self, reading_s: float) -> None:
        self.now_s = self.used_s = 50.0
        self.reading_s = reading_s

    def cpu_clock(self) -> float:
        self.used_s += self.reading_s
        return self.used_s


def many_threads(proc: Path, tasks: range, *, cpu_ticks: int = 100, start: int = 5) -> None:
    """Process 7 with many threads, and a line for its first thread alone, as the kernel has it."""
    folder = proc / "7" / "task"
    if not folder.exists():
        put_process(proc, 7, tasks=(7,))
    there = {int(path.name) for path in folder.iterdir()} - {7}
    for task in there - set(tasks):
        (folder / str(task)).rmdir()
    for task in set(tasks) - there:
        (folder / str(task)).mkdir()
    fields = (proc / "7" / "stat").read_text().split()
    fields[19], fields[14], fields[21] = str(len(tasks) + 1), "0", str(start)
    for path, ticks in ((proc / "7" / "stat", cpu_ticks), (folder / "7" / "stat", 3)):
        fields[13] = str(ticks)
        path.write_text(" ".join(fields))


def dear_reader(proc: Path, costs: Costs) -> ProcessReader:
    return ProcessReader(str(proc), clock=lambda: costs.now_s, cpu_clock=costs.cpu_clock)


def test_many_threads_are_counted_on_every_beat_and_listed_as_seldom_as_that_is_dear(tmp_path: Path) -> None:
    costs = Costs(0.01)
    reader = dear_reader(tmp_path, costs)
    seen = []
    for beat in range(120):
        costs.now_s = 50.0 + beat * 0.0501
        many_threads(tmp_path, range(100, 300 + beat))
        (sample,) = reader.read([7])
        seen.append((sample.threads, sample.threads_started, sample.threads_listed))

    assert seen[:3] == [(201, 201, True), (202, 1, False), (203, 1, False)]
    assert sum(started for _, started, _ in seen) == 320
    assert all(started == 1 for _, started, _ in seen[1:])
    # 10 ms of 0.2 % of a core are 5 s.
    assert [beat for beat, (_, _, listed) in enumerate(seen) if listed] == [0, 100]


def test_threads_that_took_the_place_of_others_are_counted_at_the_next_listing_once(tmp_path: Path) -> None:
    costs = Costs(0.001)
    reader = dear_reader(tmp_path, costs)
    seen = []
    for now_s, tasks in (
        (0.0, range(100, 300)),
        (0.1, range(120, 325)),
        (1.0, range(130, 330)),
        (1.01, range(130, 330)),
    ):
        costs.now_s = 50.0 + now_s
        many_threads(tmp_path, tasks)
        (sample,) = reader.read([7])
        seen.append((sample.threads_started, sample.threads_ended, sample.threads_listed))

    # By number 5 more, then 5 fewer; by their ids 30 went and 30 came in all.
    assert seen == [(201, 0, True), (5, 0, False), (25, 30, True), (0, 0, False)]


def test_a_listing_that_was_not_due_is_made_up_for_though_nothing_starts_any_more(tmp_path: Path) -> None:
    costs = Costs(0.001)
    reader = dear_reader(tmp_path, costs)
    seen = []
    for now_s, newest, tasks in ((0.0, 30, range(100, 300)), (0.1, 40, range(110, 310)), (1.0, 40, range(110, 310))):
        costs.now_s = 50.0 + now_s
        (tmp_path / "loadavg").write_text(f"0.10 0.20 0.30 1/99 {newest}\n")
        many_threads(tmp_path, tasks)
        (sample,) = reader.read([7])
        seen.append((sample.threads_started, sample.threads_ended, sample.threads_listed))

    assert seen == [(201, 0, True), (0, 0, False), (10, 10, True)]


def test_the_cpu_time_of_many_threads_stays_as_it_was_between_two_readings(tmp_path: Path) -> None:
    costs = Costs(0.001)
    reader = dear_reader(tmp_path, costs)
    seen = []
    for beat, ticks in enumerate((100, 200, 300, 400)):
        costs.now_s = 50.0 + beat * 0.3
        many_threads(tmp_path, range(100, 300), cpu_ticks=ticks)
        (sample,) = reader.read([7])
        seen.append((sample.cpu_s, sample.name))

    # 1 ms of 0.2 % of a core is half a second.
    assert seen == [(1.0, "server"), (1.0, "server"), (3.0, "server"), (3.0, "server")]


def test_several_processes_with_many_threads_share_what_may_be_spent_on_them(tmp_path: Path) -> None:
    costs = Costs(0.001)
    reader = dear_reader(tmp_path, costs)
    many_threads(tmp_path, range(100, 300))
    shutil.copytree(tmp_path / "7", tmp_path / "8")
    (tmp_path / "8" / "task" / "7").rename(tmp_path / "8" / "task" / "8")
    listed = []
    for beat in range(21):
        costs.now_s = 50.0 + beat * 0.1
        (tmp_path / "loadavg").write_text(f"0.10 0.20 0.30 1/99 {beat}\n")
        first, second = reader.read([7, 8])
        assert first.threads_listed == second.threads_listed
        listed += [beat] * first.threads_listed

    # Half a second each if it were alone.
    assert listed == [0, 10, 20]


def test_another_process_with_the_id_of_one_with_many_threads_is_read_whole(tmp_path: Path) -> None:
    costs = Costs(1.0)
    reader = dear_reader(tmp_path, costs)
    many_threads(tmp_path, range(100, 300), cpu_ticks=500)
    reader.read([7])
    many_threads(tmp_path, range(100, 300), cpu_ticks=2, start=6)

    (sample,) = reader.read([7])

    assert (sample.cpu_s, sample.threads_started, sample.threads_ended) == (pytest.approx(0.02), 201, 0)
