"""The command line is there at once: a Tab, `--help` and each refused word pay for what is imported before them."""

import subprocess
import sys

HEAVY = frozenset(
    (
        "cryptography",
        "gevent",
        "hdrh",
        "invoke",
        "jinja2",
        "junitparser",
        "locust",
        "lxml",
        "matplotlib",
        "nacl",
        "numpy",
        "opentelemetry",
        "paramiko",
        "plotly",
        "prometheus_client",
        "psutil",
        "requests",
        "scipy",
        "yaml",
        "zmq",
    )
)
"""Libraries that few commands need: each is imported in the function that does."""


def test_no_heavy_library_comes_with_the_command_line():
    words = "import sys, floodmark.cli.main; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, timeout=60, check=True)
    assert HEAVY & set(done.stdout.split()) == set()
