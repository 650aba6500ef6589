"""A ramp: N requests released evenly over some seconds, each held by the server.

locust -f locustfiles/ramp.py --master --host http://127.0.0.1:8000
locust -f locustfiles/ramp.py --worker            # as many as you like
floodmark-agent --master 127.0.0.1:5557 --port 8000  # on the server's host

Or all but the agent in one, without the web UI:

locust -f locustfiles/ramp.py --headless --processes 2 --host http://127.0.0.1:8000 --requests 1000 --within 30 --hold 5
"""

from floodmark.load import ParkedUser, UntilDone, install_profile


class Ramp(ParkedUser):
    """One per worker; the engine sends the requests."""


class WholeRamp(UntilDone):
    """Lasts as long as the ramp."""

    abstract = False


install_profile("ramp")
