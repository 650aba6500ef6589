"""Records to plain data and back, checked against the record's own type hints. No format: JSON and msgpack both fit.

Data from outside passes here once, where it enters, and becomes a record or a `WireError` that names the field.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from floodmark.core.errors import WireError

R = TypeVar("R")

SHOWN_CHARACTERS = 60
"""How much of a wrong value an error repeats."""


_FIELD_TYPES: dict[type, dict[str, Any]] = {}
"""Type hints by record class: resolving them costs a hundred times what using them does."""


def field_types(record: type) -> dict[str, Any]:
    """Field name to type hint, in the order of the record's fields."""
    known = _FIELD_TYPES.get(record)
    if known is None:
        hints = get_type_hints(record)
        known = _FIELD_TYPES[record] = {field.name: hints[field.name] for field in dataclasses.fields(record)}
    return known


def to_plain(value: Any) -> Any:
    """A record as dicts, lists and scalars; enums become their values, tuples lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: to_plain(getattr(value, name)) for name in field_types(type(value))}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    return value


def to_table(record: Any) -> dict[str, Any]:
    """One record as a table of its fields, records within as they are: what an encoder that asks again wants."""
    return {name: getattr(record, name) for name in field_types(type(record))}


def to_row(record: Any) -> list[Any]:
    """A flat record as the list of its fields' values: the compact form for many records of one kind."""
    return [to_plain(getattr(record, name)) for name in field_types(type(record))]


def from_row(record: type[R], row: Sequence[Any], where: str) -> R:
    """The inverse of `to_row`. Raises `WireError` where the row has another length or a value another type."""
    names = list(field_types(record))
    if not isinstance(row, Sequence) or isinstance(row, (str, bytes)) or len(row) != len(names):
        raise WireError(f"{where}: a {record.__name__} row has {len(names)} values, got {_shown(row)}")
    return from_plain(record, dict(zip(names, row, strict=True)), where)


def from_plain(record: type[R], data: Any, where: str) -> R:
    """The record that `data` describes; `where` (a file and line, a message) begins the error's text.

    Raises `WireError` for a missing or unknown field, a value of the wrong type, or a number that is not finite.
    """
    if not isinstance(data, Mapping):
        raise WireError(f"{where}: expected a table for {record.__name__}, got {_shown(data)}")
    hints = field_types(record)
    if unknown := sorted(map(str, set(data) - set(hints))):
        raise WireError(f"{where}: no field {unknown[0]!r}; there are {', '.join(hints)}")
    values = {name: _convert(hints[name], data[name], f"{where}: {name}") for name in hints if name in data}
    if missing := [name for name in _required(record) if name not in values]:
        raise WireError(f"{where}: needs the field {missing[0]!r}")
    try:
        return record(**values)
    except ValueError as error:  # what the record itself refuses
        raise WireError(f"{where}: {error}") from None


def _required(record: Any) -> list[str]:
    no_default = dataclasses.MISSING
    fields = dataclasses.fields(record)
    return [field.name for field in fields if field.default is no_default and field.default_factory is no_default]


def _convert(hint: Any, value: Any, where: str) -> Any:
    origin = get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _convert_union(get_args(hint), value, where)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return from_plain(hint, value, where)
    if origin is tuple:
        return _convert_tuple(get_args(hint), value, where)
    if origin is dict:
        return _convert_dict(get_args(hint), value, where)
    if isinstance(hint, type) and issubclass(hint, Enum):
        try:
            return hint(value)
        except ValueError:
            raise WireError(f"{where}: {value!r} is none of {', '.join(str(item.value) for item in hint)}") from None
    return _convert_scalar(hint, value, where)


def _convert_union(choices: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in choices:
        return None
    hints = [choice for choice in choices if choice is not type(None)]
    return _convert(hints[0] if len(hints) == 1 else _of_kind(hints, value, where), value, where)


def _of_kind(hints: list[Any], value: Any, where: str) -> Any:
    """Which of several records this is: the one whose `KINDS` has the value's ``kind``."""
    kind = value.get("kind") if isinstance(value, Mapping) else None
    for hint in hints:
        if kind in hint.KINDS:
            return hint
    known = ", ".join(name for hint in hints for name in hint.KINDS)
    raise WireError(f"{where}: kind {_shown(kind)} is none of {known}")


def _convert_tuple(arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    if not isinstance(value, (list, tuple)):
        raise WireError(f"{where}: expected a list, got {_shown(value)}")
    if arguments[-1] is Ellipsis:
        return tuple(_convert(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if len(arguments) != len(value):
        raise WireError(f"{where}: expected {len(arguments)} values, got {len(value)}")
    pairs = zip(arguments, value, strict=True)
    return tuple(_convert(hint, item, f"{where}[{index}]") for index, (hint, item) in enumerate(pairs))


def _convert_dict(arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise WireError(f"{where}: expected a table, got {_shown(value)}")
    key_hint, item_hint = arguments
    return {_convert(key_hint, key, where): _convert(item_hint, item, f"{where}.{key}") for key, item in value.items()}


def _convert_scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is Any:
        return value
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return _finite(value, where)
    if hint is int and isinstance(value, bool):
        raise WireError(f"{where}: expected a whole number, got {value!r}")
    if not isinstance(value, hint):
        raise WireError(f"{where}: expected {_type_words(hint)}, got {_shown(value)}")
    return value


def _finite(value: float, where: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise WireError(f"{where}: {_shown(value)} is not a finite number")
    return number


def _type_words(hint: Any) -> str:
    return {int: "a whole number", float: "a number", str: "text", bool: "true or false"}.get(hint, str(hint))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
