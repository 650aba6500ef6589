"""Where targets are found, and what an unknown or unavailable one says."""

from pathlib import Path

import pytest

from floodmark.core.errors import PlanError, UsageError
from floodmark.core.target import NeedsSpec, StartSpec, TargetSpec
from floodmark_deploy.zoo import (
    FOLDER_VARIABLE,
    availability,
    find_executable,
    find_target,
    list_targets,
    targets_folder,
)

ZOO = {
    "fastapi-uvicorn-async",
    "fastapi-uvicorn-sync",
    "flask-dev-processes-10",
    "flask-dev-threaded",
    "flask-gunicorn-sync-4",
    "flask-uwsgi-threads-10",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("zebra", "ape", "_apps", ".hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "target.toml").write_text('summary = "one"\n[start]\ncommand = ["x"]\n')
    (tmp_path / "notes").mkdir()
    return tmp_path


def _needing(needs: NeedsSpec) -> TargetSpec:
    return TargetSpec(name="own", summary="", start=StartSpec(command=("x",)), needs=needs)


def test_the_checkout_has_the_zoo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    assert {spec.name for spec in list_targets()} >= ZOO


def test_every_target_of_the_zoo_says_what_it_is_and_how_to_get_its_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    for spec in list_targets():
        assert spec.summary
        assert spec.needs.distributions or spec.needs.executables
        assert spec.needs.install
        assert spec.request.contains == "hello"


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
    needs = NeedsSpec(distributions=("psutil", "no-such-dist"), executables=("sh", "no-such-exe"), install="get it")
    missing = availability(_needing(needs))
    assert [(one.kind, one.name, one.remedy) for one in missing] == [
        ("Python distribution", "no-such-dist", "get it"),
        ("executable", "no-such-exe", "get it"),
    ]


def test_a_target_that_needs_nothing_is_available() -> None:
    assert availability(_needing(NeedsSpec())) == ()


def test_a_script_beside_the_interpreter_is_found_without_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert find_executable("pytest") is not None
