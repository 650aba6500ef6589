"""Where targets are found, and what an unknown or unavailable one says."""

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

from floodmark.core.errors import PlanError, UsageError
from floodmark.core.target import FILE_NAME, NeedsSpec, StartSpec, TargetSpec
from floodmark_deploy.zoo import (
    FOLDER_VARIABLE,
    availability,
    find_executable,
    find_target,
    list_targets,
    targets_folder,
)

PUBLISHED = """
    flask-dev-threaded flask-dev-threaded-nofile-256 flask-uwsgi-threads-10 flask-uwsgi-threads-2 flask-dev-single
    flask-dev-processes-100 flask-dev-processes-10 flask-dev-async-blocking flask-dev-async-blocking-nproc
    flask-uwsgi-async-threads-2 flask-dev-async flask-gunicorn-sync-4 fastapi-uvicorn-sync
    fastapi-uvicorn-sync-limiter-200 fastapi-uvicorn-sync-workers-2 fastapi-hypercorn-asyncio-sync
    fastapi-hypercorn-trio-sync fastapi-hypercorn-trio-sync-limiter-200 fastapi-hypercorn-uvloop-sync
    fastapi-uvicorn-async-blocking fastapi-uvicorn-async fastapi-uvicorn-async-workers-2
    fastapi-hypercorn-async-workers-2 fastapi-hypercorn-trio-async-blocking fastapi-hypercorn-trio-async-asyncio
    fastapi-hypercorn-trio-async fastapi-gunicorn-uvicorn-2 fastapi-gunicorn-sync
    fastapi-uvicorn-async-limit-concurrency-100 flask-gevent-unpatched flask-gevent-patched-late flask-gevent-patched
    flask-gunicorn-gevent-4 go-net-http fastapi-uvicorn-async-workers-4 fastapi-gunicorn-uvicorn-4 sanic-fast openresty
"""
"""The systems of the published studies; the zoo has more."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("zebra", "ape", "_apps", ".hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "target.toml").write_text('summary = "one"\n[start]\ncommand = ["x"]\n')
    (tmp_path / "notes").mkdir()
    return tmp_path


def _needing(needs: NeedsSpec) -> TargetSpec:
    return TargetSpec(name="own", summary="", start=StartSpec(command=("x",)), needs=needs)


def test_the_checkout_has_every_system_of_the_published_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    assert {spec.name for spec in list_targets()} >= set(PUBLISHED.split())


def test_every_target_of_the_zoo_says_what_it_is_and_how_to_get_its_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    for spec in list_targets():
        assert spec.summary
        assert spec.needs.distributions or spec.needs.executables or spec.needs.files
        assert spec.needs.install
        assert spec.request.contains == "hello"


def test_every_published_row_is_some_targets_and_its_data_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    specs = list_targets()
    rows = {row.row for spec in specs for row in spec.suite.a}
    assert rows == {f"F{n}" for n in (*range(1, 10), 11)} | {f"A{n}" for n in range(1, 13)}
    rates = [(spec, row) for spec in specs for row in spec.suite.b]
    assert {row.row for _, row in rates} == {f"T{n}" for n in range(1, 16)}
    assert {row.row for _, row in rates if row.requests_per_s is None} == {"T5"}
    for spec, row in [(one, row) for one in specs for row in one.suite.a]:
        assert row.saw, (spec.name, row)
        assert row.differs or row.ceiling is None or (row.ceiling or None) == spec.expect.ceiling, spec.name
        assert not (row.all and spec.expect.ceiling), spec.name
    # A rate is of a machine: what makes it another must be told with it.
    assert [(spec.name, row.row) for spec, row in rates if not row.differs] == []


def test_every_target_of_the_zoo_says_why_and_which_knob_moves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    for spec in list_targets():
        assert spec.expect.why, spec.name
        assert spec.expect.knob, spec.name
        assert bool(spec.expect.moved_by) == bool(spec.expect.ceiling), spec.name
        assert spec.answers or spec.expect.failures, spec.name


def test_every_distribution_of_the_zoo_is_installed_by_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    needed = {name for spec in list_targets() for name in spec.needs.distributions}
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    lines = project["project"]["optional-dependencies"]["zoo"]
    named = {re.match(r"[\w-]+", line)[0] for line in lines}
    # These come with an extra of one that is named: flask[async], hypercorn[trio].
    assert needed - named == {"asgiref", "trio"}


def test_targets_are_listed_by_name_without_what_they_share(folder: Path) -> None:
    assert [spec.name for spec in list_targets(folder)] == ["ape", "zebra"]


def test_the_environment_names_another_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    assert targets_folder() == folder
    assert find_target("ape").folder == str(folder / "ape")


def test_a_named_folder_that_is_not_there_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(UsageError, match=r"FLOODMARK_TARGETS=.*gone: no such folder"):
        targets_folder()


def test_an_unknown_target_is_offered_the_nearest_name(folder: Path) -> None:
    with pytest.raises(UsageError, match="no target 'zebr': did you mean 'zebra'"):
        find_target("zebr", folder)


def test_a_name_that_is_near_to_none_is_offered_the_list(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"no target '\.\./ape': `floodmark targets` lists them"):
        find_target("../ape", folder / "ape")


def test_an_unreadable_target_hides_no_other(folder: Path) -> None:
    (folder / "ape" / "target.toml").write_text("not toml")
    assert find_target("zebra", folder).name == "zebra"
    with pytest.raises(PlanError, match="not valid TOML"):
        find_target("ape", folder)


def test_what_is_missing_comes_with_its_remedy() -> None:
    needs = NeedsSpec(
        distributions=("psutil", "no-such-dist"),
        executables=("sh", "no-such-exe"),
        files=("/etc/passwd", "/no/such/file"),
        install="get it",
    )
    missing = availability(_needing(needs))
    assert [(one.kind, one.name, one.remedy) for one in missing] == [
        ("Python distribution", "no-such-dist", "get it"),
        ("executable", "no-such-exe", "get it"),
        ("file", "/no/such/file", "get it"),
    ]


def test_of_alternatives_one_is_enough_and_all_are_named_where_none_is_here() -> None:
    needs = NeedsSpec(executables=("no-such-exe | sh",), files=("/no/such/file | /nor/this",), install="get it")
    assert [one.name for one in availability(_needing(needs))] == ["/no/such/file or /nor/this"]


def test_a_target_that_needs_nothing_is_available() -> None:
    assert availability(_needing(NeedsSpec())) == ()


def test_a_script_beside_the_interpreter_is_found_without_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert find_executable("pytest") is not None


def test_a_file_without_a_slash_is_a_program_wherever_path_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = NeedsSpec(files=("/no/such/module.so | own-nginx",))
    assert [one.name for one in availability(_needing(needs))] == ["/no/such/module.so or own-nginx"]
    program = tmp_path / "own-nginx"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert availability(_needing(needs)) == ()


def test_no_target_of_the_zoo_repeats_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    for spec in list_targets():
        data = tomllib.loads(Path(spec.folder, FILE_NAME).read_text(encoding="utf-8"))
        for name, table in data.items():
            if isinstance(table, dict):
                assert [f"[{name}] {key}" for key in table if _is_default(getattr(spec, name), key, table)] == [], spec


def _is_default(part: object, key: str, table: dict[str, object]) -> bool:
    field = next(field for field in dataclasses.fields(part) if field.name == key)
    value = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    return table[key] == value and type(table[key]) is type(value)
