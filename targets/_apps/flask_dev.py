"""Runs one of the Flask applications on Flask's development server, as it comes: a thread per request."""

import argparse
import logging

import flask_app

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("host")
parser.add_argument("port", type=int)
parser.add_argument("--app", default="app", help="its name in flask_app.py")
parser.add_argument("--single", action="store_true", help="threaded=False: one request at a time")
parser.add_argument("--processes", type=int, default=1, help="a process per request, so many at once")
options = parser.parse_args()

# The development server prints a line per request: that is load, and it is not what is measured.
logging.getLogger("werkzeug").setLevel(logging.WARNING)

threaded = not options.single and options.processes == 1
app = getattr(flask_app, options.app)
app.run(options.host, options.port, debug=False, threaded=threaded, processes=options.processes)
