"""The published schemas are those that the records make, and every golden verdict and a comparison keep to theirs."""

import copy
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from floodmark.report.formats.schema import Schema, to_schema

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "docs" / "reference"
GOLDEN = sorted((ROOT / "tests" / "golden" / "report").glob("*.json"))
SCHEMA = Draft202012Validator(json.loads(to_schema()))


def verdict():
    return json.loads((ROOT / "tests" / "golden" / "report" / "failures.json").read_text())


@pytest.mark.parametrize("of", Schema)
def test_the_published_file_is_the_one_that_the_records_make(of):
    remedy = f"floodmark schema {of} > docs/reference/{of}.schema.json"
    assert (PUBLISHED / f"{of}.schema.json").read_text() == to_schema(of), remedy


@pytest.mark.parametrize("of", Schema)
def test_it_is_a_schema(of):
    Draft202012Validator.check_schema(json.loads(to_schema(of)))
    assert SCHEMA.schema["$schema"] == Draft202012Validator.META_SCHEMA["$schema"]


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_every_golden_verdict_keeps_to_it(path):
    SCHEMA.validate(json.loads(path.read_text()))


def records(value, path=()):
    """Every table of a verdict whose fields are known."""
    if isinstance(value, dict):
        if path[-1:] not in {("outcomes",), ("others_s",), ("waiting",)}:
            yield path
        for key, item in value.items():
            yield from records(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from records(item, (*path, index))


def at(value, path):
    for part in path:
        value = value[part]
    return value


def test_an_unknown_field_is_refused_in_every_record():
    found = list(records(verdict()))
    assert len(found) > 20
    for path in found:
        changed = copy.deepcopy(verdict())
        at(changed, path)["new"] = 1
        with pytest.raises(ValidationError, match="'new' was unexpected"):
            SCHEMA.validate(changed)


def test_a_missing_field_is_refused_in_every_record():
    for path in records(verdict()):
        for name in at(verdict(), path):
            changed = copy.deepcopy(verdict())
            del at(changed, path)[name]
            with pytest.raises(ValidationError, match=f"'{name}' is a required property"):
                SCHEMA.validate(changed)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), 2),
        (("verdict", "in_service", "peak"), "40"),
        (("verdict", "in_service", "peak"), None),
        (("verdict", "model", "unit"), "fibre"),
        (("verdict", "waiting"), {"nowhere": {"peak": 1, "limit": None}}),
        (("outcomes", "answered"), 1.5),
        (("validity", "checks"), {}),
        (("validity", "ok"), 1),
    ],
)
def test_a_wrong_value_is_refused(path, value):
    changed = verdict()
    at(changed, path[:-1])[path[-1]] = value
    with pytest.raises(ValidationError):
        SCHEMA.validate(changed)
