import msgpack
import pytest
from agent_scene import HELLO, LIMITS, Scene
from hypothesis import given
from hypothesis import strategies as st

from floodmark.core import messages
from floodmark.core.codec import from_plain, to_plain
from floodmark.core.errors import WireError
from floodmark.core.messages import (
    Watch,
)
from floodmark.core.sample import ProcessSample
from floodmark_agent.bus import pack, unpack


def test_a_packed_record_is_read_as_the_codec_would_have_written_it() -> None:
    process = ProcessSample(
        pid=1,
        parent=0,
        name="a",
        threads=None,
        threads_started=0,
        threads_ended=0,
        open_files=3,
        rss_bytes=4,
        cpu_s=0.5,
    )
    scene = Scene()
    scene.bus.say(messages.WATCH, to_plain(Watch(beat_s=0.02)))
    scene.run_for(0.3)
    batch = scene.bus.of(messages.SAMPLES)[-1]

    for record in (batch, process, HELLO, LIMITS):
        kind, data, node = msgpack.unpackb(pack("a_type", record, "node"))
        assert (kind, node) == ("a_type", "node")
        assert data == to_plain(record)
        assert from_plain(type(record), data, "a message") == record


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b"a", b"b"],
        [b""],
        [b"\xc1"],
        [b"\x81\x90\x01"],
        [msgpack.packb(("only", "two"))],
        [msgpack.packb((1, 2, 3))],
        [msgpack.packb("abc")],
        [msgpack.packb(("a", 1, "b")) + b"more"],
        [b"\x91" * 5000],
    ],
)
def test_a_message_that_is_no_tuple_of_three_is_a_wire_error(frames: list[bytes]) -> None:
    with pytest.raises(WireError, match="a message from the master"):
        unpack(frames)


@given(st.binary(max_size=200))
def test_garbage_from_the_bus_raises_nothing_but_wire_errors(garbage: bytes) -> None:
    try:
        kind, _ = unpack([garbage])
    except WireError:
        return
    assert isinstance(kind, str)
