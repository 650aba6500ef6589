"""The page on capacity says what `floodmark doctor` says."""

import re
from pathlib import Path

import pytest

from floodmark.core.source import parse_sources
from floodmark_deploy.host_facts import HostFacts
from floodmark_deploy.limits import MOST_PORTS, TARGET_FILES, WORKER_FILES, LoadPlan, judge

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "capacity.md").read_text(encoding="utf-8")
DEFAULT_PORTS = 60_999 - 32_768 + 1
ROW = re.compile(r"^\| ([\d,]+) \| (\d+) \| (\d+) \| ([\d,]+) \| ([\d,]+) \| ([\d.]+) GB \|$", re.MULTILINE)
CALL = re.compile(r"^floodmark doctor --connections (\d+)(?: --workers (\d+))?(?: --source (\S+))?$", re.MULTILINE)


def number(text):
    return int(text.replace(",", ""))


def needs(connections, workers, sources):
    """What doctor asks for on a host with the kernel's own port range; name to (need, ok)."""
    plan = LoadPlan(connections=connections, workers=workers, sources=sources)
    return {finding.name: (finding.need, finding.ok) for finding in judge(HostFacts(ports=DEFAULT_PORTS), plan)}


def ports_suffice(found):
    return next(ok for name, (_, ok) in found.items() if name.startswith("source ports"))


def test_the_page_has_a_row_and_a_command_for_each_size():
    sizes = [10_000, 100_000, 1_000_000]
    assert [number(row[0]) for row in ROW.findall(PAGE)] == sizes
    assert [int(connections) for connections, _, _ in CALL.findall(PAGE)] == sizes


@pytest.mark.parametrize("row", ROW.findall(PAGE))
def test_a_rows_figures_are_doctors(row):
    connections, workers, sources, worker_files, target_files = map(number, row[:5])
    found = needs(connections, workers, sources)
    assert found["open files of a worker (RLIMIT_NOFILE, hard)"][0] == worker_files
    assert found["open files of a target (RLIMIT_NOFILE, hard)"][0] == target_files
    assert f"{found['available memory in bytes'][0] / 1e9:.1f}" == row[5]
    assert ports_suffice(found)
    if sources > 1:
        assert not ports_suffice(needs(connections, workers, sources - 1))


@pytest.mark.parametrize(("call", "row"), list(zip(CALL.findall(PAGE), ROW.findall(PAGE), strict=True)))
def test_a_rows_command_is_for_that_row(call, row):
    connections, workers, source = call
    asked = (int(connections), int(workers or 1), len(parse_sources(source)) or 1)
    assert asked == tuple(map(number, row[:3]))


def test_the_constants_in_the_text_are_the_codes():
    assert f"/ workers + {WORKER_FILES}`" in PAGE
    assert f"/ processes + {TARGET_FILES}`" in PAGE
    assert f"{DEFAULT_PORTS:,}" in PAGE
    assert f"{MOST_PORTS:,}" in PAGE
