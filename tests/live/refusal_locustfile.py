"""burst.py, with a page that has the last refusal as the web UI reads it; run by `test_refused_start.py`."""

from locust import events

from floodmark.load import ParkedUser, UntilDone, install_profile
from floodmark.load.refusals import last_refusal


class Burst(ParkedUser):
    pass


class WholeBurst(UntilDone):
    abstract = False


@events.init.add_listener
def show_refusals(environment, **_):
    if environment.web_ui is None:
        return

    @environment.web_ui.app.route("/refusal")
    def refusal():
        found = last_refusal(environment)
        return found.words if found else "none"


install_profile("burst")
