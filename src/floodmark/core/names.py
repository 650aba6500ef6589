"""Names that become part of a path: of targets, and of published rows. Checked where they enter; nothing is made."""

LONGEST_BYTES = 100
"""A folder's name may have 255 (NAME_MAX in include/uapi/linux/limits.h), and a run's has more than its target's."""


def prove_plain_name(what: str, name: str) -> None:
    """Raises `ValueError` for a name that is no plain path component: it would leave its folder, or hide in it."""
    if not name or name.startswith(".") or not name.isprintable() or name != name.strip() or {*name} & {"/", "\\"}:
        raise ValueError(f"{what} {name!r}: becomes a folder's name: give letters, digits, '-', '_' and '.', no path")
    if len(name.encode()) > LONGEST_BYTES:
        raise ValueError(f"{what} {name!r}: becomes a folder's name: give at most {LONGEST_BYTES} bytes")
