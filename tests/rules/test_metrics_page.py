"""docs/reference/metrics.md has every metric with its unit and its place, and none that there is not."""

import re
from pathlib import Path

from floodmark.core.metric_names import DERIVED, FIELDS, LEFT_OUT, STATISTICS, TOLD_LIVE, TRENDS, UNITS
from floodmark.core.threshold import LIMIT_UNITS, OPERATORS
from floodmark.core.threshold_grammar import NOT_MEASURED

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
TABLES = PAGE[PAGE.index("## Times of answers") : PAGE.index("## Numbers without a name")]
CODE = re.compile(r"`([^`]+)`")


def rows() -> dict[str, list[str]]:
    """The rows on metrics by the first cell's code, the other cells as they are."""
    found = {}
    for line in TABLES.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `") and (code := CODE.match(cells[0])):
            found.setdefault(code[1], cells[1:])
    return found


def part(title: str) -> str:
    """The page's text below a heading, up to the next one."""
    return re.split(r"^#+ ", PAGE.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def test_every_metric_is_a_row_with_its_unit_and_its_place():
    page, wrong = rows(), []
    for entry in (*FIELDS, *DERIVED):
        if entry.name.rpartition(".")[0] in TRENDS:
            continue
        cells = page.get(entry.name, ["", ""])
        paths = [entry.path] if hasattr(entry, "path") else list(entry.paths)
        if (cells[0], CODE.findall(cells[1])) != (entry.unit, paths):
            wrong.append(entry.name)
    assert wrong == []


def test_the_times_and_their_statistics_are_in_two_tables():
    page = rows()
    assert {name: CODE.findall(page[name][1]) for name in TRENDS} == {name: [of] for name, (of, _) in TRENDS.items()}
    assert {word: CODE.findall(page[word][0]) for word in STATISTICS} == {
        word: [field] for word, (field, _) in STATISTICS.items()
    }


def test_the_page_has_no_metric_that_there_is_not():
    known = {*UNITS, *TRENDS, *STATISTICS}
    names = [CODE.match(line[2:]) for line in TABLES.splitlines() if line.startswith("| `")]
    assert len(names) > 80
    assert sorted(name[1] for name in names if name and name[1] not in known) == []


def test_numbers_without_a_name_are_there_with_the_reason():
    table = part("Numbers without a name")
    left = [path for path in LEFT_OUT if path != "outcomes.*"]
    assert [path for path in left if f"`{path}`" not in table] == []
    reasons = {reason[0].lower() + reason[1:].rstrip(".") for path, reason in LEFT_OUT.items() if path in left}
    assert [reason for reason in reasons if reason not in table] == []


def test_what_can_be_told_live_is_there_and_nothing_else():
    table = part("While the load is on").partition("| metric |")[2].partition("\n\n")[0]
    cells = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `")]
    told = {name for cell in cells for name in CODE.findall(cell)}
    told = {name if name in TOLD_LIVE else name.rpartition(".")[0] for name in told}
    assert told == set(TOLD_LIVE)


def test_the_grammar_is_there_whole():
    text = part("Thresholds")
    units = {unit for names in LIMIT_UNITS.values() for unit in names if unit and not unit.endswith("/s")}
    assert [word for word in (*OPERATORS, *units) if f"`{word}`" not in text] == []
    assert [name for name in ("vus", "iterations", "checks", "http_req_blocked") if name not in NOT_MEASURED] == []
