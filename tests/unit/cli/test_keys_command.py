"""`floodmark keys`: what it makes, what it says, what it refuses."""

import pytest
from typer.testing import CliRunner

from floodmark.cli.main import app
from floodmark.core.errors import UsageError


def test_it_makes_three_files_and_says_where_each_goes(tmp_path):
    done = CliRunner().invoke(app, ["keys", str(tmp_path / "keys")])
    assert done.exit_code == 0
    files = sorted(path.name for path in (tmp_path / "keys").iterdir())
    assert files == ["agent.toml", "master.toml", "worker.toml"]
    for name, where in (("master", "--master --floodmark-keys"), ("worker", "--worker"), ("agent", "floodmark-agent")):
        (line,) = [line for line in done.output.splitlines() if f"{name}.toml" in line]
        assert where in line


def test_it_refuses_a_folder_that_has_keys(tmp_path):
    for _ in range(2):
        done = CliRunner().invoke(app, ["keys", str(tmp_path)], standalone_mode=False)
    assert isinstance(done.exception, UsageError)
    assert "is there already" in str(done.exception)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(app, ["keys", str(tmp_path / "file" / "keys")], standalone_mode=False)
    with pytest.raises(UsageError, match=r"file.*cannot be written"):
        raise done.exception
