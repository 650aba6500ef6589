"""A server that was started outside the zoo is known by its command line, and the verdict says so."""

import json
import sys
from pathlib import Path

import pytest
from command import floodmark, listens, manifest, run_folder, started, wait_until

from floodmark_deploy.port import free_port

APPS = Path(__file__).parents[2] / "targets" / "_apps"
THREADS = 7

pytestmark = [pytest.mark.live, pytest.mark.alone]


def test_a_gunicorn_of_ones_own_is_named_with_its_worker_its_number_and_its_knob(tmp_path):
    port = free_port("127.0.0.1")
    words = (
        *(sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "--no-control-socket", "--chdir", str(APPS)),
        *("--worker-class", "gthread", "--threads", str(THREADS), "--env", "DB_PASSWORD=hunter2", "flask_app:app"),
    )
    with started(*words, cwd=tmp_path):
        wait_until(lambda: listens("127.0.0.1", port), "gunicorn")
        path = f"http://127.0.0.1:{port}/?id={{id}}&hold={{hold}}"
        plan = ("--requests", "40", "--hold", "1", "--json", "verdict.json")
        done = floodmark("run", "--url", path, *plan, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    printed = " ".join(done.stdout.split())
    assert "This is gunicorn with the gthread worker, with --threads 7 on its command line" in printed
    found = json.loads((tmp_path / "verdict.json").read_text())["verdict"]
    assert found["in_service"]["ceiling"] == THREADS
    known = found["known"]
    assert (known["server"], known["number"], known["agrees"]) == ("gunicorn with the gthread worker", THREADS, True)
    assert "--threads 7 on its command line" in found["advice"][0]
    assert "hands each connection to a ThreadPoolExecutor" in found["advice"][0]
    assert "What moves the 7: gunicorn's --threads" in found["sentence"]
    folder = run_folder(tmp_path)
    (line,) = manifest(folder)["commands"]
    assert "DB_PASSWORD=***" in line["words"]
    assert len(line["pids"]) == 2
    page = (folder / "report.html").read_text()
    assert "started as" in page
    assert "--threads 7" in page
    assert not [path.name for path in folder.iterdir() if path.is_file() and b"hunter2" in path.read_bytes()]
