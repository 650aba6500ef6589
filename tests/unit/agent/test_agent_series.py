from hypothesis import given
from hypothesis import strategies as st

from floodmark.core.sample import ConnectionCounts, ListenerSample, ProcessSample, Sample
from floodmark.core.series import unpack_block
from floodmark_agent.outbox import Outbox
from floodmark_agent.series import BLOCK_SAMPLES, BLOCK_TEXT_BYTES, CHUNK_BYTES, Series

EVERY = 1 << 30


def sample(number: int, *, depth: int = 0, unread: int | None = None, processes: int = 1) -> Sample:
    places = dict.fromkeys(ConnectionCounts.__slots__[2:], 0) | {"unread": unread or 0}
    listener = ListenerSample(
        address="127.0.0.1:8000", family="inet", inode=7, depth=depth, limit=100, outer=True, owners=(1,)
    )
    tree = [
        ProcessSample(
            pid=1000 + pid,
            parent=1,
            name="python3",
            threads=3 + number % 5,
            threads_started=0,
            threads_ended=0,
            open_files=20,
            rss_bytes=4096 * number * pid,
            cpu_s=number / (7 + pid),
        )
        for pid in range(processes)
    ]
    return Sample(
        sequence=number,
        due_s=100.0 + number / 20,
        taken_s=100.0001 + number / 19.9,
        socket_s=100.0002 + number / 19.9,
        cost_s=0.0004,
        missed=0,
        listeners=(listener,),
        connections=() if unread is None else (ConnectionCounts(port=8000, accept_queue=0, **places),),
        processes=tuple(tree),
        counters=None,
    )


def numbers(blocks: tuple[bytes, ...]) -> list[int]:
    return [one.sequence for block in blocks for one in unpack_block(block)]


def test_what_comes_out_is_what_went_in() -> None:
    series = Series()
    samples = [sample(number, depth=number, unread=3) for number in range(200)]
    for one in samples:
        series.add(one)

    blocks, left = series.chunk(EVERY)

    assert [one for block in blocks for one in unpack_block(block)] == samples
    assert (left, series.first, series.taken, series.dropped) == (0, 0, 200, 0)


@given(st.lists(st.sampled_from(["add", "chunk", "lose"]), max_size=150))
def test_whatever_is_lost_on_the_way_the_fetched_series_is_whole_and_in_order(events: list[str]) -> None:
    series, fetched, taken = Series(), [], 0
    for event in [*events, "chunk", "chunk", "chunk"]:
        if event == "add":
            for _ in range(40):
                series.add(sample(taken))
                taken += 1
            continue
        series.forget(len(fetched))
        blocks, _ = series.chunk(2)
        if event == "chunk":
            fetched += [number for number in numbers(blocks) if number >= len(fetched)]

    while (found := [number for number in numbers(series.chunk(EVERY)[0]) if number >= len(fetched)]) != []:
        fetched += found
        series.forget(len(fetched))
    assert fetched == list(range(taken))


def test_a_full_room_loses_its_oldest_block_and_counts_its_samples() -> None:
    series = Series(room_bytes=40_000)
    count = 0
    while not series.dropped:
        series.add(sample(count))
        count += 1
        assert series.full <= 1

    assert series.dropped == series.first == BLOCK_SAMPLES
    assert numbers(series.chunk(EVERY)[0])[-1] == count - 1


def test_twenty_minutes_of_a_server_of_five_processes_find_room() -> None:
    series = Series()
    for number in range(2000):
        series.add(sample(number, depth=number % 7, unread=number % 30, processes=5))

    assert series.full < 2000 / (20 * 60 * 20)


def test_a_block_is_short_where_samples_are_long_and_a_chunk_is_one_message() -> None:
    series = Series()
    for number in range(300):
        series.add(sample(number, processes=200))

    blocks, left = series.chunk(EVERY)

    assert len(unpack_block(blocks[0])) * 20_000 < BLOCK_TEXT_BYTES
    assert len(blocks) > 1
    assert sum(map(len, blocks)) <= CHUNK_BYTES
    assert left == 300 - len(numbers(blocks)) > 0


def test_live_figures_are_the_newest_the_newest_count_and_the_peak_each_once() -> None:
    outbox = Outbox()
    for one in (sample(0), sample(1, depth=9), sample(2, unread=4), sample(3), sample(4, depth=2)):
        outbox.note(one)

    assert [one.sequence for one in outbox.samples()] == [1, 2, 4]
    outbox.sent()
    assert outbox.samples() == ()
    outbox.note(sample(5, unread=0))
    assert [one.sequence for one in outbox.samples()] == [5]
