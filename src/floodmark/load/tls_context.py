"""TLS contexts for the users of a process. Making one reads every authority of the host: the usual two are shared."""

import ssl
from functools import lru_cache


@lru_cache(maxsize=2)
def shared_context(*, insecure: bool) -> ssl.SSLContext:
    """Checks certificate and host name, unless `insecure`."""
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
