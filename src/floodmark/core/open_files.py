"""This process' limit on open files. Raising it is all that is done here."""

import resource


def raise_open_files_limit() -> int:
    """Raises the soft limit to the hard one, for this process and what it starts; returns it.

    Locust raises it to 10,000 only, which does not hold 10,000 sockets and its own files.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
