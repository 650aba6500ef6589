"""Which targets a server may be recognised as: a report must not fail on a zoo that is not there, or not whole."""

from pathlib import Path

from floodmark_deploy.zoo import FOLDER_VARIABLE, known_servers

KNOWN = '[start]\ncommand = ["x"]\n[recognise]\nserver = "x"\ncommand = [" x "]\n'


def test_those_that_say_how_are_found_and_an_unreadable_one_hides_no_other(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    for name, text in {"a": KNOWN, "b": "not toml", "c": KNOWN.partition("[recognise]")[0], "d": KNOWN}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "target.toml").write_text(text, encoding="utf-8")
    assert [spec.name for spec in known_servers()] == ["a", "d"]


def test_without_a_zoo_no_server_is_known(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "gone"))
    assert known_servers() == ()
