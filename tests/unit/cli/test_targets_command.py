"""`floodmark targets`: one file that cannot be read hides no other."""

import json
import sys

import pytest

from floodmark.cli.main import main
from floodmark_deploy.zoo import FOLDER_VARIABLE


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    for name, text in (("ape", 'summary = "an ape"\n[start]\ncommand = ["x"]\n'), ("bee", "summary = \n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "target.toml").write_text(text)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


def said(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["floodmark", *words])
    with pytest.raises(SystemExit) as left:
        main()
    return (left.value.code, *capsys.readouterr())


def test_the_others_are_listed_and_the_unreadable_one_is_named_with_its_reason(zoo, monkeypatch, capsys):
    code, out, err = said(monkeypatch, capsys, "targets")
    assert code == 1
    assert "an ape" in out
    (line,) = err.splitlines()
    assert line.startswith("floodmark: target bee cannot be read: ")
    assert str(zoo / "bee" / "target.toml") in line


@pytest.mark.usefixtures("zoo")
def test_in_json_too(monkeypatch, capsys):
    code, out, _ = said(monkeypatch, capsys, "targets", "--json")
    ape, bee = json.loads(out)
    assert (code, ape["name"], ape["available"], bee["name"], bee["available"]) == (1, "ape", True, "bee", False)
    assert "target.toml" in bee["problem"]
