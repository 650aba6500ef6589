"""A closed loop: C connections, each sends its next request when the last is answered; what wrk does.

locust -f locustfiles/closed.py --master --host http://127.0.0.1:8000
locust -f locustfiles/closed.py --worker            # as many as you like
floodmark-agent --master 127.0.0.1:5557 --port 8000  # on the server's host

Or all but the agent in one, without the web UI:

locust -f locustfiles/closed.py --headless --processes 2 --host http://127.0.0.1:8000 --connections 100 --duration 10
"""

from floodmark.load import ParkedUser, UntilDone, install_profile


class Closed(ParkedUser):
    """One per worker; the engine sends the requests."""


class WholeClosed(UntilDone):
    """Lasts as long as the load."""

    abstract = False


install_profile("closed")
