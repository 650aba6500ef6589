"""Every number of a verdict has one name, and the name has that number."""

import dataclasses
import json
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest

from floodmark.analysis.document import VerdictDocument
from floodmark.analysis.metrics import CATALOGUE, metrics_of
from floodmark.core.codec import field_types, from_plain
from floodmark.core.metric_names import DERIVED, FIELDS, LEFT_OUT, UNITS
from floodmark.core.outcomes import Outcome
from floodmark.core.places import WAITING_PLACES

GOLDEN = Path(__file__).parents[2] / "golden" / "report"
GOLDENS = sorted(path.name for path in GOLDEN.glob("*.json"))
LISTS_THAT_COUNT = {"verdict.limits[]", "steps[]"}


def document(name: str) -> VerdictDocument:
    return from_plain(VerdictDocument, json.loads((GOLDEN / name).read_text()), name)


def numbers_in(hint: Any, path: str) -> Iterator[str]:
    """The paths of all numbers that a type's JSON can have."""
    origin = get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        for choice in get_args(hint):
            yield from numbers_in(choice, path)
    elif origin is tuple:
        yield from numbers_in(get_args(hint)[0], f"{path}[]")
    elif origin is dict and path == "verdict.waiting":
        for place in WAITING_PLACES:
            yield from numbers_in(get_args(hint)[1], f"{path}.{place.value}")
    elif origin is dict:
        yield from numbers_in(get_args(hint)[1], f"{path}.*")
    elif dataclasses.is_dataclass(hint):
        for name, inner in field_types(hint).items():
            yield from numbers_in(inner, f"{path}.{name}" if path else name)
    elif hint in (int, float):
        yield path


def named() -> set[str]:
    return {field.path for field in FIELDS} | {path for entry in DERIVED for path in entry.paths}


def test_every_number_of_a_verdict_has_a_name_or_a_reason_to_have_none():
    numbers = set(numbers_in(VerdictDocument, ""))
    assert len(numbers) > 70
    assert sorted(numbers - named() - set(LEFT_OUT)) == []


def test_what_is_named_or_left_out_is_there():
    numbers = set(numbers_in(VerdictDocument, ""))
    assert sorted((named() | set(LEFT_OUT)) - numbers - LISTS_THAT_COUNT - {"outcomes"}) == []
    assert named() & set(LEFT_OUT) == set()


def test_no_name_is_given_twice():
    assert len(CATALOGUE) == len(FIELDS) + len(DERIVED) == len(UNITS)


@pytest.mark.parametrize("name", GOLDENS)
def test_every_metric_of_a_run_is_the_number_in_its_verdict(name):
    plain = json.loads((GOLDEN / name).read_text())
    metrics = metrics_of(document(name))
    assert set(metrics) == set(CATALOGUE)
    for field in FIELDS:
        value: Any = plain
        for part in field.path.split("."):
            value = None if value is None else value[part]
        assert metrics[field.name].value == value, field.name
        assert metrics[field.name].unit == field.unit
    assert all(metric.name == key and metric.words for key, metric in metrics.items())


@pytest.mark.parametrize("name", GOLDENS)
def test_outcomes_add_up_in_their_metrics_too(name):
    outcomes = json.loads((GOLDEN / name).read_text())["outcomes"]
    value = {key: metric.value for key, metric in metrics_of(document(name)).items()}
    assert {kind.value: value[f"requests.{kind.value}"] for kind in Outcome} == {
        kind.value: outcomes.get(kind.value, 0) for kind in Outcome
    }
    sides = [value[f"http_req_failed.{side}"] for side in ("target", "network", "generator")]
    assert sum(sides) == value["http_req_failed.count"]
    assert value["http_reqs.count"] == value["requests.answered"] + value["http_req_failed.count"]
    assert value["requests.planned"] == sum(outcomes.values())
    assert value["http_req_failed.rate"] == value["http_req_failed.count"] / value["http_reqs.count"]


def test_numbers_that_are_made_from_others_are_right_where_they_are_known():
    value = {key: metric.value for key, metric in metrics_of(document("search.json")).items()}
    assert value["target.in_service.handler_times"] == value["target.in_service.reconstruction"] == 40
    assert value["target.in_service.littles_law"] is None
    assert value["search.bursts"] == 2
    assert value["clock.drift.max"] is None
    assert value["target.limits_reached"] == 0
    assert value["target.inner_accept_queue.max"] is None


def test_the_clock_that_is_known_worst_counts_and_the_one_that_drifted_most_either_way():
    known = document("arrivals.json")
    clock = [
        dataclasses.replace(node, drift_s=drift_s, over_s=10.0)
        for node, drift_s in zip(known.clock, (0.001, -0.003, 0.002), strict=True)
    ]
    metrics = metrics_of(dataclasses.replace(known, clock=tuple(clock)))
    assert metrics["clock.bound.max"].value == 0.0002
    assert metrics["clock.drift.max"].value == 0.003


def test_without_an_agent_nobody_knows_how_many_limits_were_reached():
    assert metrics_of(document("no-agent.json"))["target.limits_reached"].value is None


def test_of_several_inner_lines_the_deepest_counts():
    known = document("search.json")
    (outer,) = known.verdict.lines
    inner = [
        dataclasses.replace(outer, outer=False, address=f"/run/{depth}", depth_peak=depth, limit=depth + 1)
        for depth in (3, 7, 5)
    ]
    verdict = dataclasses.replace(known.verdict, lines=(outer, *inner))
    metrics = metrics_of(dataclasses.replace(known, verdict=verdict))
    assert metrics["target.inner_accept_queue.max"].value == 7
    assert metrics["target.inner_accept_queue.limit"].value == 8


def test_nothing_that_ended_has_no_share_of_failures():
    nothing = dataclasses.replace(document("search.json"), outcomes={"answered": 0, "waiting": 64})
    assert metrics_of(nothing)["http_req_failed.rate"].value is None
