"""Which targets a server may be recognised as: a report must not fail on a zoo that is not there, or not whole."""

from pathlib import Path

from floodmark_deploy.zoo import FOLDER_VARIABLE, known_servers, shipped_folder, targets_folder

KNOWN = '[start]\ncommand = ["x"]\n[recognise]\nserver = "x"\ncommand = [" x "]\n'


def test_those_that_say_how_are_found_and_an_unreadable_one_hides_no_other(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    for name, text in {"a": KNOWN, "b": "not toml", "c": KNOWN.partition("[recognise]")[0], "d": KNOWN}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "target.toml").write_text(text, encoding="utf-8")
    assert [spec.name for spec in known_servers()][:2] == ["a", "d"]


def test_a_zoo_of_ones_own_comes_first_and_the_shipped_knowledge_stays(tmp_path: Path, monkeypatch) -> None:
    shipped = [spec.name for spec in known_servers()]
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    for name in ("zz-own", "flask-waitress"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "target.toml").write_text(KNOWN, encoding="utf-8")
    known = known_servers()
    assert [spec.name for spec in known] == [
        *("flask-waitress", "zz-own"),
        *(name for name in shipped if name != "flask-waitress"),
    ]
    assert known[0].recognise.server == "x"
    assert targets_folder() == tmp_path != shipped_folder()


def test_a_zoo_that_is_not_there_takes_no_shipped_knowledge_away(tmp_path: Path, monkeypatch) -> None:
    shipped = known_servers()
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "gone"))
    assert known_servers() == shipped != ()
