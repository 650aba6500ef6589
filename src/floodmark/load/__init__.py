"""The Locust side of Floodmark: the only importer of locust and gevent."""

import locust  # noqa: F401 - before all else: it patches the process, and what was imported earlier may stay as it was

from floodmark.load.bus.sockets import secure_bus
from floodmark.load.install import install_profile
from floodmark.load.parked import ParkedUser, UntilDone
from floodmark.load.user.flood_user import FloodUser
from floodmark.load.web.watch import watch_target

__all__ = ["FloodUser", "ParkedUser", "UntilDone", "install_profile", "secure_bus", "watch_target"]
