"""How a run connects: over TLS, and from which addresses."""

import shutil
import subprocess
from collections import Counter

import pytest
from command import floodmark, manifest, measured, own_server, run_folder

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """One for 127.0.0.1, signed by itself, with its key in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    words = ["req", "-x509", *curve, "-days", "2", "-keyout", "k.pem", "-out", "c.pem"]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(["openssl", *words, *names], cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text((folder / "k.pem").read_text() + (folder / "c.pem").read_text())
    return str(both)


def test_a_server_with_a_certificate_of_its_own_is_measured_over_tls_when_any_will_do(tmp_path, certificate):
    with own_server("seen_server.py", "0.1", certificate, cwd=tmp_path) as port:
        words = ("--url", f"https://127.0.0.1:{port}/", "--insecure", "--requests", "30", "--expect-match", "^d.ne$")
        found = measured(*words, cwd=tmp_path)
    assert found["outcomes"]["answered"] == 30
    assert found["profile"]["hold_s"] >= 0.1
    kept = manifest(run_folder(tmp_path))
    assert (kept["url"], kept["verify"]) == (f"https://127.0.0.1:{port}/", False)


@pytest.mark.parametrize("words", [(), ("--hold", "0.1"), ("--profile", "closed")])
def test_a_certificate_that_nobody_vouches_for_is_refused_with_the_way_out(tmp_path, certificate, words):
    with own_server("seen_server.py", "0.1", certificate, cwd=tmp_path) as port:
        done = floodmark("run", "--url", f"https://127.0.0.1:{port}/", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    last = done.stderr.splitlines()[-1]
    words = "the certificate is not trusted: self-signed certificate; --insecure takes any"
    assert last == f"floodmark: https://127.0.0.1:{port}/: {words}"


def test_load_comes_from_every_source_address_in_turn(tmp_path):
    with own_server("seen_server.py", "0.3", "", cwd=tmp_path) as port:
        sources = ("--source", "127.0.0.2-127.0.0.5", "--workers", "2")
        found = measured(
            "--url", f"http://127.0.0.1:{port}/", "--requests", "40", "--hold", "0.3", *sources, cwd=tmp_path
        )
        seen = Counter((tmp_path / "printed.txt").read_text().split()[1::2])
    assert found["outcomes"]["answered"] == 40
    assert {address: seen[address] for address in seen if address != "127.0.0.1"} == dict.fromkeys(
        (f"127.0.0.{last}" for last in range(2, 6)), 10
    )
    assert manifest(run_folder(tmp_path))["sources"] == [f"127.0.0.{last}" for last in range(2, 6)]
