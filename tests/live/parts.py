"""Parts of a test that need a process of their own, since importing the load room patches it: one after another."""

import sys


def keep_all(parts):
    """Calls what begins with ``keeps_``, each named before it begins, and says so when all are kept."""
    for name, keeps in list(parts.items()):
        if name.startswith("keeps_"):
            sys.stdout.write(f"{name}\n")
            keeps()
    sys.stdout.write("all kept\n")
