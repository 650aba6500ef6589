"""Arrivals: R requests per second whatever the answers do; the open model.

locust -f locustfiles/arrivals.py --master --host http://127.0.0.1:8000
locust -f locustfiles/arrivals.py --worker            # as many as you like
floodmark-agent --master 127.0.0.1:5557 --port 8000  # on the server's host

Or all but the agent in one, without the web UI:

locust -f locustfiles/arrivals.py --headless --processes 2 --host http://127.0.0.1:8000 --rate 100 --duration 10
"""

from floodmark.load import ParkedUser, UntilDone, install_profile


class Arrivals(ParkedUser):
    """One per worker; the engine sends the requests."""


class WholeArrivals(UntilDone):
    """Lasts as long as the load."""

    abstract = False


install_profile("arrivals")
