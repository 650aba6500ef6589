"""Which targets a suite takes, and that one which is wrong hides no other."""

import pytest

from floodmark.campaign.suite_targets import Zoo, read_zoo
from floodmark.core.errors import UsageError
from floodmark.core.target import StartSpec, TargetSpec


def spec_of(name, folder=""):
    return TargetSpec(name=name, summary="", start=StartSpec(command=("x",)), folder=folder or name)


ZOO = Zoo(
    specs=(spec_of("flask-own"), spec_of("flask-plain"), spec_of("go"), spec_of("two", "a"), spec_of("two", "b")),
    unreadable={"bad": "not valid TOML"},
)


def names(zoo):
    return [spec.name for spec in zoo.specs]


def test_patterns_are_globs_over_names():
    assert names(ZOO.chosen(["flask-*"])) == ["flask-own", "flask-plain"]
    assert names(ZOO.chosen(["go", "*plain"])) == ["flask-plain", "go"]
    assert ZOO.chosen(["go"]).unreadable == {}
    assert ZOO.chosen(["go", "b*"]).unreadable == {"bad": "not valid TOML"}


def test_without_a_pattern_all_are_taken():
    zoo = Zoo(specs=ZOO.specs[:3], unreadable=ZOO.unreadable)
    assert zoo.chosen(()) == zoo


def test_a_pattern_that_names_no_target_is_refused_with_what_lists_them():
    with pytest.raises(UsageError, match=r"'flsk-.*floodmark targets"):
        ZOO.chosen(["go", "flsk-*"])


def test_two_targets_of_one_name_are_refused_where_they_are_meant():
    for wanted in (lambda: ZOO.chosen(()), lambda: ZOO.chosen(["two"]), lambda: ZOO.named({"two"})):
        with pytest.raises(UsageError, match="a and b are both named 'two'"):
            wanted()
    assert names(ZOO.named({"go", "gone"})) == ["go"]
    assert list(ZOO.named({"go"}).by_name) == ["go"]


def test_an_unreadable_target_hides_no_other(tmp_path):
    for name, text in {"ape": "[start", "bee": '[start]\ncommand = ["x"]\n'}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "target.toml").write_text(text)
    zoo = read_zoo(tmp_path)
    assert names(zoo) == ["bee"]
    assert "ape/target.toml: not valid TOML" in zoo.unreadable["ape"]
