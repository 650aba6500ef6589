"""A search: bursts, each four times the one before, until the server's ceiling is proven.

locust -f locustfiles/search.py --master --host http://127.0.0.1:8000
locust -f locustfiles/search.py --worker            # as many as you like
floodmark-agent --master 127.0.0.1:5557 --port 8000  # on the server's host

Or all but the agent in one, without the web UI:

locust -f locustfiles/search.py --headless --processes 2 --host http://127.0.0.1:8000 --requests 10000 --hold 2
"""

from floodmark.load import ParkedUser, UntilDone, install_profile


class Search(ParkedUser):
    """One per worker; the engine sends the requests."""


class WholeSearch(UntilDone):
    """Lasts as long as the search."""

    abstract = False


install_profile("search")
