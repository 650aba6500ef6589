"""The Locust side of Floodmark: the only importer of locust and gevent."""

from floodmark.load.flood_user import FloodUser
from floodmark.load.install import install_burst
from floodmark.load.users import ParkedUser, UntilDone

__all__ = ["FloodUser", "ParkedUser", "UntilDone", "install_burst"]
