"""Runs the Flask application on gevent's WSGIServer; the third word says when `monkey.patch_all` comes.

`first`: before the application is imported. `late`: after it, when it has bound `time.sleep`. `never`.
"""

# ruff: noqa: E402 - the order is what this is about
import sys

from gevent import monkey

host, port, patched = sys.argv[1:]
if patched == "first":
    monkey.patch_all()

from flask_app import app

if patched == "late":
    monkey.patch_all()

from gevent.pywsgi import WSGIServer

WSGIServer((host, int(port)), app, log=None).serve_forever()
