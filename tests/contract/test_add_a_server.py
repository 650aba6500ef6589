"""The example in docs/howto/add-a-server.md: what the page shows is what works."""

import http.client
import re
import secrets
import textwrap
import time
import tomllib
from pathlib import Path

import pytest

from floodmark.core.target import read_target
from floodmark_deploy.local import LocalShell
from floodmark_deploy.target_process import start_target
from floodmark_deploy.zoo import targets_folder

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "add-a-server.md"
HOST = "127.0.0.1"
ANSWER_TIMEOUT_S = 60.0

pytestmark = pytest.mark.live


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_example_starts_holds_answers_and_stops(tmp_path: Path) -> None:
    folder = tmp_path / "my-server"
    folder.mkdir()
    (folder / "app.py").write_text(_blocks("python")[0], encoding="utf-8")
    (folder / "target.toml").write_text("\n".join(_blocks("toml")), encoding="utf-8")
    spec = read_target(folder)
    log, marker = tmp_path / "target.log", f"howto-{secrets.token_hex(4)}"
    with LocalShell() as shell:
        target = start_target(
            spec, shell, host=HOST, run_log=log, marker=marker, clock=time.monotonic, sleep=time.sleep
        )
        connection = http.client.HTTPConnection(HOST, target.address.port, timeout=ANSWER_TIMEOUT_S)
        begin_s = time.monotonic()
        connection.request("GET", "/?id=1&hold=0.1")
        assert connection.getresponse().read() == b"done"
        assert time.monotonic() - begin_s >= 0.1
        connection.close()
        target.stop()
        assert shell.leftovers(marker) == ()
    assert (spec.name, spec.expect.ceiling) == ("my-server", 8)


def test_the_zoos_example_is_what_is_in_the_zoo_but_for_what_is_the_default() -> None:
    page = PAGE.read_text(encoding="utf-8")
    (shown,) = re.findall(r"^   ```toml\n(.*?)^   ```$", page, re.DOTALL | re.MULTILINE)
    there = tomllib.loads((targets_folder() / "flask-cheroot" / "target.toml").read_text(encoding="utf-8"))
    for key, value in tomllib.loads(textwrap.dedent(shown)).items():
        assert value == there[key] if isinstance(value, str) else value.items() <= there[key].items()
