"""What Locust's own messages from a worker look like (locust 2.47, `WorkerRunner` and `stats.py`). It judges, only.

Locust's master merges what it is sent before it finds out that a part of it is missing, and prints it later: a wrong
value spoils the figures of all workers.
"""

import math
from collections.abc import Callable
from typing import Any, get_type_hints

from locust.runners import STATE_CLEANUP, STATE_INIT, STATE_RUNNING, STATE_SPAWNING, STATE_STOPPED, STATE_STOPPING
from locust.stats import StatsEntryDict

from floodmark.core.errors import WireError

STATES = frozenset({STATE_CLEANUP, STATE_INIT, STATE_RUNNING, STATE_SPAWNING, STATE_STOPPED, STATE_STOPPING})
"""What a worker says of itself; "missing" is the master's word."""
VERSION_CHARACTERS = 100
ANY_VERSION = -1
"""What a worker without a version says."""

_NAMES = frozenset({"name", "method"})
_TABLES = frozenset({"response_times", "num_reqs_per_sec", "num_fail_per_sec"})
_NONE_TOO = frozenset({"last_request_timestamp", "min_response_time"})
_FIGURES = frozenset(get_type_hints(StatsEntryDict)) - _NAMES - _TABLES


def prove_shape(kind: str, data: Any, sender: str) -> None:
    """Does nothing where `data` is what Locust's master can take from `sender`. Raises `WireError`."""
    prove = _PROOFS.get(kind)
    if prove is not None:
        prove(data, sender)


def _client_ready(data: Any, _: str) -> None:
    is_version = isinstance(data, str) and len(data) <= VERSION_CHARACTERS and data.isprintable()
    _hold(is_version or data == ANY_VERSION, "a version", data)


def _exception(data: Any, _: str) -> None:
    for name in ("msg", "traceback"):
        _hold(isinstance(_field(data, name), str), f"text as its {name}", data[name])


def _heartbeat(data: Any, _: str) -> None:
    state = _field(data, "state")
    _hold(isinstance(state, str) and state in STATES, "a worker's state", state)
    _hold(_is_number(_field(data, "current_cpu_usage")), "a number as its CPU usage", data["current_cpu_usage"])
    _hold(_is_number(data.get("current_memory_usage", 0)), "a number as its memory", data.get("current_memory_usage"))


def _logs(data: Any, sender: str) -> None:
    _hold(_field(data, "worker_id") == sender, "its own logs", data["worker_id"])
    lines = _field(data, "logs")
    _hold(isinstance(lines, list) and all(isinstance(line, str) for line in lines), "lines", lines)


def _spawning_complete(data: Any, _: str) -> None:
    _counts(_field(data, "user_classes_count"), "user_classes_count")


def _stats(data: Any, _: str) -> None:
    entries, errors = _field(data, "stats"), _field(data, "errors")
    _hold(isinstance(entries, list), "a list of stats", entries)
    for entry in [*entries, _field(data, "stats_total")]:
        _entry(entry)
    _hold(isinstance(errors, dict), "a table of errors", errors)
    for key, error in errors.items():
        _hold(isinstance(key, str), "text as an error's key", key)
        _error(error)
    _counts(_field(data, "user_classes_count"), "user_classes_count")


def _entry(entry: Any) -> None:
    for name in _NAMES:
        _hold(_is_scalar(_field(entry, name)), f"text as an entry's {name}", entry[name])
    for name in _FIGURES:
        value = _field(entry, name)
        _hold(_is_number(value) or (value is None and name in _NONE_TOO), f"a number as {name}", value)
    for name in _TABLES:
        table = _field(entry, name)
        _hold(isinstance(table, dict), f"a table as {name}", table)
        _hold(all(map(_is_number, table)) and all(map(_is_number, table.values())), f"numbers in {name}", table)


def _error(error: Any) -> None:
    for name in (*_NAMES, "error"):
        _hold(_is_scalar(_field(error, name)), f"text as an error's {name}", error[name])
    _hold(_is_number(_field(error, "occurrences")), "a number of occurrences", error["occurrences"])
    for name in ("first_seen", "last_seen"):
        value = error.get(name)
        _hold(value is None or _is_number(value), f"a time as {name}", value)


def _counts(table: Any, name: str) -> None:
    _hold(isinstance(table, dict), f"a table as {name}", table)
    _hold(all(isinstance(key, str) for key in table), f"names in {name}", table)
    _hold(all(map(_is_number, table.values())), f"numbers in {name}", table)


def _field(data: Any, name: str) -> Any:
    if not isinstance(data, dict) or name not in data:
        raise WireError(f"needs a table with {name}, got {data!r:.60}")
    return data[name]


def _is_number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _is_scalar(value: Any) -> bool:
    """A name that is no text is the user's, and Locust prints it as well."""
    return value is None or isinstance(value, (str, int, float))


def _hold(holds: bool, what: str, value: Any) -> None:  # noqa: FBT001 - it is what the rest of the line says
    if not holds:
        raise WireError(f"needs {what}, got {value!r:.60}")


_PROOFS: dict[str, Callable[[Any, str], None]] = {
    "client_ready": _client_ready,
    "exception": _exception,
    "heartbeat": _heartbeat,
    "logs": _logs,
    "spawning_complete": _spawning_complete,
    "stats": _stats,
}
