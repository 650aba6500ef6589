"""The JSON Schemas of what is written for scripts, made from the records that it is written from. It checks nothing."""

import dataclasses
import inspect
import json
import types
import typing
from enum import Enum, StrEnum
from typing import Any, get_args, get_origin

from floodmark.analysis.compare.document import COMPARE_FORMAT, CompareDocument
from floodmark.analysis.document import FORMAT, VerdictDocument
from floodmark.core.codec import field_types

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Schema(StrEnum):
    """What has a schema: ``verdict.json``, and what ``floodmark compare --json`` writes."""

    VERDICT = "verdict"
    COMPARE = "compare"


_WRITTEN: dict[Schema, tuple[type, int]] = {
    Schema.VERDICT: (VerdictDocument, FORMAT),
    Schema.COMPARE: (CompareDocument, COMPARE_FORMAT),
}

_SCALARS: dict[Any, dict[str, Any]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
}


def to_schema(of: Schema = Schema.VERDICT) -> str:
    """The schema as the text of a file: JSON Schema 2020-12; every field is always there, and there is no other."""
    record, number = _WRITTEN[of]
    records: dict[str, dict[str, Any]] = {}
    whole = _record(record, records)
    whole["properties"]["format"] = {"const": number}
    # A name, and no address: the file itself is in docs/reference, and `floodmark schema` prints it.
    head = {"$schema": DIALECT, "$id": f"urn:floodmark:{of}:{number}", "title": f"{of}.json"}
    return json.dumps({**head, **whole, "$defs": dict(sorted(records.items()))}, indent=2) + "\n"


def _record(record: type, records: dict[str, dict[str, Any]]) -> dict[str, Any]:
    fields = {name: _of(hint, records) for name, hint in field_types(record).items()}
    return {
        "description": _words(record),
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def _of(hint: Any, records: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The schema of one field's type; a record is put into `records` and referred to."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _optional([_of(choice, records) for choice in arguments if choice is not type(None)], arguments)
    if origin is tuple:
        return _items(arguments, records)
    if origin is dict:
        key, item = arguments
        return _table(key, item, records)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        if hint.__name__ not in records:
            records[hint.__name__] = {}  # first the name: a record may hold its own kind
            records[hint.__name__] = _record(hint, records)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [item.value for item in hint]}
    return dict(_SCALARS[hint])


def _optional(choices: list[dict[str, Any]], arguments: tuple[Any, ...]) -> dict[str, Any]:
    if type(None) not in arguments:
        return {"anyOf": choices}
    if len(choices) == 1 and set(choices[0]) == {"type"}:
        return {"type": [choices[0]["type"], "null"]}
    return {"anyOf": [*choices, {"type": "null"}]}


def _items(arguments: tuple[Any, ...], records: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if arguments[-1] is Ellipsis:
        return {"type": "array", "items": _of(arguments[0], records)}
    items = [_of(argument, records) for argument in arguments]
    return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}


def _table(key: Any, item: Any, records: dict[str, dict[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {"type": "object", "additionalProperties": _of(item, records)}
    if isinstance(key, type) and issubclass(key, Enum):
        table["propertyNames"] = _of(key, records)
    return table


def _words(record: type) -> str:
    """The record's own words, on one line, without marks of code."""
    return " ".join((inspect.getdoc(record) or "").replace("``", "").replace("`", "").split())
