"""The Locust side of Floodmark: the only importer of locust and gevent."""

from floodmark.load.install import install_burst
from floodmark.load.users import ParkedUser, UntilDone

__all__ = ["ParkedUser", "UntilDone", "install_burst"]
