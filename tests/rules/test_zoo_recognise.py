"""The zoo's ``[recognise]`` tables beside its start commands: each knows its own server, and no other's."""

import re
from pathlib import Path

import pytest

from floodmark.core.target import TargetSpec
from floodmark_deploy.zoo import known_servers, list_targets

ZOO = {spec.name: spec for spec in list_targets()}
KNOWN = {spec.name: spec for spec in known_servers()}
OPTION = re.compile(r"--[a-z][a-z-]+")
NUMBER = re.compile(r"(?<![\d,.])\d[\d,]*")
KINDS = {
    "gunicorn sync",
    "gunicorn gthread",
    "gunicorn gevent",
    "uvicorn",
    "uwsgi",
    "hypercorn asyncio",
    "hypercorn trio",
    "granian wsgi",
    "granian asgi",
    "waitress-serve",
    "flask",
    "sanic",
    "start.py",
    "cheroot",
    "daphne",
}
"""What can be told by its command line."""

STARTED_BY_OTHERS = {"flask", "flask_gevent.py", "start.py", "/bin/sh"}
"""Programs of the zoo that become, or have within them, a server without a name on this command line."""

WITHOUT_NUMBER = {
    "django-daphne",
    "fastapi-gunicorn-uvicorn-2",
    "fastapi-hypercorn-async-workers-2",
    "fastapi-hypercorn-trio-async",
    "fastapi-uvicorn-async",
    "flask-dev-threaded",
    "openresty",
    "sanic-fast",
}
"""Nothing on their command line bounds them."""

REFUSING = {"fastapi-uvicorn-async-limit-concurrency-100"}
"""Those beyond the number are refused: nobody waits behind them, so no ceiling is expected."""


def command_line(spec: TargetSpec) -> str:
    """The command line as the kernel will show it."""
    filled = {"{python}": "/usr/bin/python3", "{host}": "127.0.0.1", "{port}": "8000", "{scratch}": "/run/x"}
    text = " ".join(spec.start.command)
    for name, value in filled.items():
        text = text.replace(name, value)
    return text


def kind_of(spec: TargetSpec) -> str:
    """The server and its kind of worker, read off the words of the command rather than found by a pattern."""
    words = list(spec.start.command)
    program = words[words.index("-m") + 1] if "-m" in words else next(word for word in words if word != "{python}")
    given = next((words[words.index(option) + 1] for option in ("-k", "--worker-class") if option in words), "")
    if program == "gunicorn":
        return "uvicorn" if "Uvicorn" in given else f"gunicorn {given or 'sync'}"
    if program == "hypercorn":
        return f"hypercorn {'trio' if given == 'trio' else 'asyncio'}"
    if program == "granian":
        return f"granian {words[words.index('--interface') + 1]}"
    return "flask" if program == "flask_dev.py" else program


def numbers_of(text: str) -> set[str]:
    return {found.strip(",").replace(",", "") for found in NUMBER.findall(text)}


def own_numbers(spec: TargetSpec) -> set[str]:
    """Numbers that this target chose, and no default of its server: of its command, its programs, its ceiling."""
    chosen = [*spec.start.command, *spec.start.env.values(), str(spec.expect.ceiling or "")]
    if kind_of(spec) == "start.py":
        chosen.append(Path(spec.folder, "start.py").read_text(encoding="utf-8"))
    counts = {number for number in numbers_of(" ".join(chosen)) if int(number) > 1}
    less = {str(int(number) - spec.recognise.less) for number in counts}
    return (counts | less) - {str(spec.recognise.default)}


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_each_recognises_its_own_start_command_or_an_example_of_what_it_starts(name):
    recognise = KNOWN[name].recognise
    own = [command_line(KNOWN[name])] if kind_of(KNOWN[name]) not in {"flask", "start.py"} else recognise.examples
    assert own
    assert [line for line in own if not recognise.matches(line)] == []


@pytest.mark.parametrize("name", sorted(ZOO))
def test_no_start_command_is_taken_for_another_server(name):
    line = command_line(ZOO[name])
    found = {kind_of(spec) for spec in KNOWN.values() if spec.recognise.matches(line)}
    assert found == {kind_of(ZOO[name])} - STARTED_BY_OTHERS


def test_each_server_and_kind_of_worker_is_known():
    assert {kind_of(spec) for spec in KNOWN.values()} >= KINDS


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_the_number_of_the_own_command_line_is_the_ceiling_that_is_expected(name):
    spec, line = KNOWN[name], command_line(KNOWN[name])
    number = spec.recognise.number_in(line) or spec.recognise.default_in(line)
    assert (number is None) == (name in WITHOUT_NUMBER)
    total = (number or 0) - spec.recognise.less
    if name in REFUSING:
        assert f"{total} at once" in spec.summary
    elif number is not None:
        assert total * (spec.recognise.processes_in(line) or 1) == spec.expect.ceiling


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_what_is_known_reads_well_for_a_server_with_other_numbers(name):
    spec = KNOWN[name]
    text = f"{spec.expect.why} {spec.expect.knob}"
    counted = {"ten", "twenty", "both", "two worker", "four processes", "three"}
    assert not any(f" {word} at once" in text or f"the {word} " in text for word in counted)
    assert numbers_of(text) & own_numbers(spec) == set()
    assert not re.search(r"\b(here|this (target|server|run|configuration))\b", text, re.IGNORECASE)
    assert OPTION.search(text) or "app.run" in text or "worker_" in text
