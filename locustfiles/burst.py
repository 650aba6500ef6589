"""A burst: N requests released together, each held by the server; Floodmark's main load.

locust -f locustfiles/burst.py --master --host http://127.0.0.1:8000
locust -f locustfiles/burst.py --worker            # as many as you like
floodmark-agent --master 127.0.0.1:5557 --port 8000  # on the server's host

Or all but the agent in one, without the web UI:

locust -f locustfiles/burst.py --headless --processes 2 --host http://127.0.0.1:8000 --requests 1000 --hold 5
"""

from floodmark.load import ParkedUser, UntilDone, install_profile


class Burst(ParkedUser):
    """One per worker; the engine sends the requests."""


class WholeBurst(UntilDone):
    """Lasts as long as the burst."""

    abstract = False


install_profile("burst")
