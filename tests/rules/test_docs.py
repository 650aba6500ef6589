"""The tree tests itself: what the docs say is there, is there; what the code has, the docs name. No process of ours."""

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import is_dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from floodmark.analysis import document
from floodmark.analysis.checks import check_run
from floodmark.analysis.steady.checks import check_steady
from floodmark.cli.main import app
from floodmark.core import errors, published, sample, suite
from floodmark.core.clock import ClockReading
from floodmark.core.codec import field_types
from floodmark.core.command_line import CommandLine
from floodmark.core.hit import Hit
from floodmark.core.messages import Pulse, WorkerReport
from floodmark.core.outcomes import Outcome, Side
from floodmark.core.places import Place
from floodmark.core.profile import ArrivalsProfile, BurstProfile, ClosedProfile, SearchProfile
from floodmark.core.run_folder import HoldProbe, Manifest, RunStatus, SearchStep
from floodmark.core.second import Second
from floodmark.core.target import ExpectSpec, TargetSpec
from floodmark_agent.options import parser as agent_parser
from floodmark_deploy.zoo import target_names, targets_folder

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
OF_THE_PICTURE = {
    *(document.Timeline, document.Judged, document.SecondPoint),
    *(document.LatencyCurve, document.FailureTimes),
}
RECORDS = [
    *(Hit, Second, Manifest, SearchStep, HoldProbe, ExpectSpec, Pulse, WorkerReport, ClockReading, CommandLine),
    *(BurstProfile, ClosedProfile, ArrivalsProfile, SearchProfile),
    *(value for value in vars(sample).values() if is_dataclass(value)),
    *(suite.SuiteRecord, suite.SuiteAsked, suite.SuiteRow, suite.SuiteFound, suite.FoundLine),
    *(published.PublishedCeiling, published.PublishedRate),
    *(value for value in vars(document).values() if is_dataclass(value) and value not in OF_THE_PICTURE),
]
COMMANDS = typer.main.get_command(app).commands

LONGEST_FILE_LINES = 400
NO_PACKAGES = ("locustfiles", "targets", "ansible", "tests")
PACKAGES = ("src", "agents", "deploy")

# Written apart, so that this file does not hold what it looks for.
MACHINE_PATHS = tuple(f"/{name}/" for name in ("work", "root"))

LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE = re.compile(r"^ *```.*?\n(.*?)^ *```$|`([^`\n]+)`|^ {4}(?=\.venv/bin/)(.+)$", re.DOTALL | re.MULTILINE)
CALL = re.compile(r"^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?floodmark (.+)$")
STANDS_FOR_ANY = re.compile(r"[A-Z]+\]?|\[.*|my-.*")
"""``TARGET``, ``[options]``, ``my-server``: not to be looked up."""
NO_MORE = re.compile(r"[|&;>#]+|2>|-{3,}")
"""Words where a command ends: the shell's, and a line in a picture."""


@cache
def tracked() -> tuple[Path, ...]:
    """The project's files: tracked, or new and not ignored; a tree without git is taken whole, but for what is made."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=20)
        names = done.stdout.split("\0") if done.returncode == 0 else []
    except FileNotFoundError:
        names = []
    found = [ROOT / name for name in names if name] or list(_walked())
    return tuple(sorted(path for path in found if path.is_file()))


def _walked():
    made = {".venv", "runs", "dist", "__pycache__", ".hypothesis"}
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if not made.intersection(parts) and not any(part.endswith("_cache") or part == ".git" for part in parts):
            yield path


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def pages() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md"]


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def prose(path: Path) -> str:
    """A page without its code blocks, in which a bracket is no link and a # no heading."""
    return FENCE.sub("", text_of(path))


@cache
def anchors(path: Path) -> set[str]:
    """The anchors GitHub gives to a page's headings."""
    headings = HEADING.findall(prose(path))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> list[str]:
    broken = []
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(link)
    return broken


def calls(text: str) -> Iterator[list[str]]:
    """The words after `floodmark` of each command in a page's code, up to what is the shell's."""
    for found in CODE.finditer(text):
        code = "".join(part or "" for part in found.groups()).replace("\\\n", " ")
        for line in code.splitlines():
            if call := CALL.match(line.strip()):
                yield _words(call[1])


def _words(line: str) -> list[str]:
    try:
        words = shlex.split(line)
    except ValueError:  # an apostrophe: a sentence that a program printed, and no command
        return []
    end = next((place for place, word in enumerate(words) if NO_MORE.fullmatch(word)), len(words))
    return words[:end]


def command_of(words: list[str]) -> tuple[Any, Iterator[str]]:
    """The command or, of a group such as `floodmark lab`, its part; and the words that follow it."""
    command = COMMANDS[words[0]]
    part = getattr(command, "commands", {}).get(words[1] if words[1:] else "")
    return (part, iter(words[2:])) if part else (command, iter(words[1:]))


def wrong_in(words: list[str]) -> list[str]:
    """What a command names that is not there: itself, an option, a target."""
    if not words or words[0] not in COMMANDS:
        # Without a command of ours it is a sentence, unless it looks like a command with options.
        return words[:1] if any(word.startswith("--") for word in words[1:]) else []
    command, rest = command_of(words)
    takes = {word: not getattr(option, "is_flag", False) for option in command.params for word in option.opts}
    names, wrong = [], []
    for word in rest:
        option = word.partition("=")[0]
        if not word.startswith("-"):
            names.append(word)
        elif option not in takes and option != "--help":
            wrong.append(word)
        elif takes.get(word):
            next(rest, None)
    if words[0] in {"run", "suite"}:
        zoo = target_names(targets_folder())
        asked = [name for name in names if not STANDS_FOR_ANY.fullmatch(name)]
        wrong += [name for name in asked if not any(fnmatchcase(target, name) for target in zoo)]
    return wrong


def test_every_command_in_the_docs_names_options_and_targets_that_are_there():
    pages_wrong = {
        named(page): wrong
        for page in pages()
        if (wrong := [word for call in calls(text_of(page)) for word in wrong_in(call)])
    }
    assert pages_wrong == {}
    assert sum(call[:1] == ["run"] for page in pages() for call in calls(text_of(page))) > 30


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("$ floodmark run flask-dev-single --hold 5 | head", []),
        ("`floodmark run NAME --requests 1000 --within 0`", []),
        ("```\nFLOODMARK_TARGETS=my-servers floodmark suite --table a 'flask-*'\n```", []),
        ("```\n$ floodmark run flask-dev-threadless --json -\n```", ["flask-dev-threadless"]),
        ("`floodmark run go-net-http --holdd 5`", ["--holdd", "5"]),
        ("`floodmark suite 'flusk-*'`", ["flusk-*"]),
        ("`floodmark rum --hold 5`", ["rum"]),
    ],
)
def test_a_command_that_names_what_is_not_there_is_found(line, wrong):
    text = line if "`" in line else f"```\n{line}\n```"
    assert [word for call in calls(text) for word in wrong_in(call)] == wrong


def test_every_relative_link_leads_to_a_file_and_to_a_heading_that_is_there():
    found = {named(page): broken for page in pages() if (broken := broken_links(page))}
    assert found == {}
    assert sum(len(LINK.findall(prose(page))) for page in pages()) > 50


def test_every_page_of_the_docs_can_be_reached_from_the_index():
    reached, waiting = set(), [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        links = (link.partition("#")[0] for link in LINK.findall(prose(page)))
        waiting += [(page.parent / link).resolve() for link in links if link.endswith(".md") and ":" not in link]
    assert [named(page) for page in pages() if DOCS in page.parents and page not in reached] == []


def test_no_file_names_a_folder_of_the_machine_it_was_written_on():
    found = []
    for path in tracked():
        try:
            text = text_of(path)
        except UnicodeDecodeError:
            continue
        found += [f"{named(path)}: {place}" for place in MACHINE_PATHS if place in text]
    assert found == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_is_in_the_reference(name):
    text = text_of(DOCS / "reference" / "command-line.md")
    section = re.search(rf"^## floodmark {name}$(.*?)(?=^## )", text, re.DOTALL | re.MULTILINE)
    assert section, f"no section on floodmark {name}"
    commands = [COMMANDS[name], *getattr(COMMANDS[name], "commands", {}).values()]
    assert any(command.params for command in commands) or name == "schema"
    options = [word for command in commands for option in command.params for word in option.opts if word[:2] == "--"]
    of_run = {word for option in COMMANDS["run"].params for word in option.opts}
    told = of_run if "| options of `floodmark run` |" in section[1] else set()  # they are in its own section
    assert [
        word
        for word in options
        if word not in told
        and f"`{word}`" not in section[1]
        and f"[{word} " not in section[1]
        and f"[{word}]" not in section[1]
    ] == []


@pytest.mark.parametrize("kind", [Outcome, Place, Side, document.Unit])
def test_every_word_of_a_verdict_is_in_the_glossary(kind):
    text = text_of(DOCS / "glossary.md")
    assert [word.value for word in kind if f"`{word.value}`" not in text] == []


@pytest.mark.parametrize("record", RECORDS)
def test_every_field_of_a_run_is_in_the_reference(record):
    text = text_of(DOCS / "reference" / "run-folder.md")
    assert [word for word in field_types(record) if f"`{word}`" not in text and f'"{word}"' not in text] == []


@pytest.mark.parametrize("section", ["start", "needs", "ready", "request", "limits", "expect", "recognise", "suite"])
def test_every_key_of_a_target_file_is_in_the_reference(section):
    text = text_of(DOCS / "reference" / "target-toml.md").partition(f"\n## [{section}]\n")[2].partition("\n## ")[0]
    records = {"suite": (published.SuiteSpec, published.PublishedCeiling, published.PublishedRate)}
    keys = [key for record in records.get(section, [field_types(TargetSpec)[section]]) for key in field_types(record)]
    assert keys
    assert [key for key in keys if f"`{key}`" not in text] == []


def test_every_way_a_run_ends_is_in_the_reference():
    text = text_of(DOCS / "reference" / "run-folder.md")
    assert [status.value for status in RunStatus if f"`{status.value}`" not in text] == []


@pytest.mark.parametrize("page", ["reference/command-line.md", "howto/read-a-verdict.md"])
def test_every_exit_code_is_in_the_tables(page):
    codes = {0, *(kind.exit_code for kind in vars(errors).values() if isinstance(kind, type))}
    assert codes > {0, 1}
    assert [code for code in sorted(codes) if f"\n| {code} | " not in text_of(DOCS / page)] == []


def test_every_option_of_the_agent_is_in_the_reference():
    section = (
        text_of(DOCS / "reference" / "command-line.md").partition("\n## floodmark-agent\n")[2].partition("\n## ")[0]
    )
    options = [word for action in agent_parser()._actions for word in action.option_strings]
    assert "--master" in options
    assert [word for word in options if word not in {"-h", "--help"} and f"`{word}`" not in section] == []


def test_every_option_of_the_burst_is_in_the_reference_with_its_variable():
    # Read, not imported: Locust patches the whole process.
    options = re.findall(r'"(--[a-z-]+)",\s+"(FLOODMARK_[A-Z_]+)"', text_of(ROOT / "src/floodmark/load/options.py"))
    assert ("--requests", "FLOODMARK_REQUESTS") in options
    text = text_of(DOCS / "reference" / "command-line.md")
    assert [words for words in options if "| `{}` | `{}` |".format(*words) not in text] == []


def test_every_option_of_the_bus_is_in_the_reference():
    options = re.findall(
        r'"(--floodmark-[a-z-]+)",$', text_of(ROOT / "src/floodmark/load/bus/settings.py"), re.MULTILINE
    )
    assert len(options) == 2
    text = text_of(DOCS / "reference" / "command-line.md")
    assert [word for word in options if f"| `{word}` | `FLOODMARK_" not in text] == []


@pytest.mark.parametrize("page", ["method.md", "howto/read-a-verdict.md"])
def test_every_check_is_explained(page):
    files = {Path(check.__code__.co_filename) for check in (check_run, check_steady)}
    names = {_check_name(node) for file in files for node in ast.walk(ast.parse(text_of(file)))} - {None}
    assert len(names) > 8
    assert sorted(name for name in names if f"| {name} |" not in text_of(DOCS / page)) == []


def _check_name(node):
    """The text in ``Check(name="...")`` or ``name = "..."``."""
    is_keyword = isinstance(node, ast.keyword) and node.arg == "name"
    is_variable = isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["name"]
    value = node.value if is_keyword or is_variable else None
    return value.value if isinstance(value, ast.Constant) else None


def test_every_module_says_what_it_is_and_none_is_too_long():
    files = [path for path in tracked() if path.suffix == ".py" and named(path).startswith(PACKAGES)]
    assert len(files) > 50
    assert [named(path) for path in files if not ast.get_docstring(ast.parse(text_of(path)))] == []
    assert [named(path) for path in files if len(text_of(path).splitlines()) > LONGEST_FILE_LINES] == []


def test_no_folder_that_others_import_by_name_is_a_package():
    packages = [named(path) for path in tracked() if path.name == "__init__.py"]
    assert packages
    assert [name for name in packages if name.startswith(NO_PACKAGES)] == []
