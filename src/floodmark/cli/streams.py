"""The three standard streams have their numbers, whatever a caller has closed. It prints nothing."""

import os

STANDARD = (0, 1, 2)


def hold_numbers() -> None:
    """Puts ``/dev/null`` where a standard stream is closed, as in ``floodmark report >&-``.

    The next file that is opened would get its number, and what goes to ``/dev/stdout``, or is said by a library or a
    child, would be written into that file.
    """
    for number in STANDARD:
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free: this one, since those before it are held by now.
            os.open(os.devnull, os.O_RDWR)
