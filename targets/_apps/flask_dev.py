"""Runs the Flask application on Flask's development server: `python flask_dev.py HOST PORT [PROCESSES]`.

Without PROCESSES as Flask runs by default, a thread per request; with it a process per request, up to so many at once.
"""

import logging
import sys

from flask_app import app

# The development server prints a line per request: that is load, and it is not what is measured.
logging.getLogger("werkzeug").setLevel(logging.WARNING)

host, port, *processes = sys.argv[1:]
if processes:
    app.run(host, int(port), debug=False, threaded=False, processes=int(processes[0]))
else:
    app.run(host, int(port), debug=False, threaded=True)
