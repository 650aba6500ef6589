"""What comes over Locust's bus, taken apart: who sent it, whether it may be said, what it is. It opens no socket.

Bytes become objects of many times their size (an empty list is one byte, and 64 in memory), so the key is looked at
first, then the size, and unpacking ends where there are more lists and tables than any honest message has.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgpack
import zmq
from locust.rpc import protocol
from locust.rpc.protocol import Message

from floodmark.core.bus_keys import AGENT
from floodmark.core.errors import WireError
from floodmark.core.messages import WORKERS_ONLY

C = TypeVar("C", list[Any], dict[Any, Any])

FLOODMARKS = "floodmark_"
NOT_A_MESSAGE = "sent what is no message"
NOT_ALLOWED = "sent a message that its key does not allow"
TOO_LONG = "sent a message that is too long for one that is no worker"


@dataclass(frozen=True, slots=True)
class Limits:
    """The longest message, and how many lists and tables it may hold: also the longest single one of these."""

    size_bytes: int
    containers: int


OF_WORKERS = Limits(64 << 20, 4_000_000)
"""Ours have half a megabyte at the most; Locust's statistics of 10,000 request names with 100 different times each have
about eight, in 70,000 tables."""
OF_OTHERS = Limits(1 << 20, 20_000)
"""Agents, and whoever says a first word. An agent's longest is a chunk of 64 KiB in a few blocks of bytes."""


def read(frames: list[Any], workers: Any) -> Message:
    """The message; `workers` has the identities of those that may send long ones. Raises `WireError`."""
    sender = _identity(frames)
    is_agent = property_of(frames[-1], "User-Id") == AGENT
    limits = OF_WORKERS if sender in workers and not is_agent else OF_OTHERS
    size_bytes = sum(len(frame.buffer) for frame in frames[1:])
    if size_bytes > limits.size_bytes:
        raise WireError(f"{TOO_LONG}: {size_bytes} bytes, {limits.size_bytes} at the most")
    message = only(frames[1:], limits)
    # Locust's master takes a worker for whom it says it is.
    if message.node_id != sender:
        raise WireError(f"{NOT_A_MESSAGE}: it speaks for {message.node_id!r:.60}")
    if is_agent and (not message.type.startswith(FLOODMARKS) or message.type in WORKERS_ONLY):
        raise WireError(f"{NOT_ALLOWED}: an agent's key, {message.type!r:.60}")
    return message


def only(frames: list[Any], limits: Limits) -> Message:
    """The message of one frame. Raises `WireError`."""
    if len(frames) != 1:
        raise WireError(f"{NOT_A_MESSAGE}: {len(frames)} frames, not 1")
    try:
        parts = _unpacked(frames[0].buffer, limits)
        message: Message = Message(*parts)  # type: ignore[no-untyped-call] # Locust's
    except Exception as error:  # noqa: BLE001  msgpack, the constructor and Locust's object hook each have their own
        words = f"{type(error).__name__}: {error!s:.100}".removesuffix(": ")
        raise WireError(f"{NOT_A_MESSAGE}: {words}") from None
    if not isinstance(message.type, str) or not isinstance(message.node_id, (str, type(None))):
        raise WireError(f"{NOT_A_MESSAGE}: type {message.type!r:.60}")
    return message


def property_of(frame: Any, name: str) -> str | None:
    """What ZeroMQ knows of a message's connection; None where it does not."""
    try:
        return str(frame.get(name))
    except zmq.ZMQError:
        return None


def _identity(frames: list[Any]) -> str:
    try:
        sender = str(frames[0].bytes.decode())
    except UnicodeDecodeError:
        raise WireError(f"{NOT_A_MESSAGE}: its identity is no UTF-8") from None
    if not sender.isprintable():  # Locust writes it into its log as it is
        raise WireError(f"{NOT_A_MESSAGE}: its identity is no printable text")
    return sender


def _unpacked(buffer: Any, limits: Limits) -> list[Any]:
    """As Locust's own `Message.unserialize`, with bounds. Raises what msgpack and Locust's hook do."""
    left = limits.containers

    def counted(container: C) -> C:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError(f"more than {limits.containers} lists and tables")
        return container

    decode: Callable[[Any], Any] = protocol.decode
    parts: list[Any] = msgpack.unpackb(
        buffer,
        raw=False,
        strict_map_key=False,
        object_hook=lambda table: decode(counted(table)),
        list_hook=counted,
        max_array_len=limits.containers,
        max_map_len=limits.containers,
    )
    return parts
