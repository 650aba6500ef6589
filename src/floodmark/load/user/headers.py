"""An answer's header fields as Locust users read them. Nothing is checked here: the engine did."""

from collections.abc import Iterator, Mapping

from floodmark.engine.exchange import Fields


class FloodHeaders(Mapping[str, str]):
    """Fields by name, in any case; a field that came more than once has its values joined (RFC 9110, section 5.3)."""

    def __init__(self, fields: Fields) -> None:
        self._values: dict[str, list[str]] = {}
        self._names: dict[str, str] = {}
        for raw_name, raw_value in fields:
            name = raw_name.decode("latin-1")
            self._names.setdefault(name.lower(), name)
            self._values.setdefault(name.lower(), []).append(raw_value.decode("latin-1"))

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._values[name.lower()])

    def __iter__(self) -> Iterator[str]:
        return iter(self._names.values())

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self)})"

    def getlist(self, name: str) -> list[str]:
        """Every value of a field, one by one: Set-Cookie cannot be joined."""
        return list(self._values.get(name.lower(), ()))

    def get_all(self, name: str, default: list[str] | None = None) -> list[str] | None:
        """The same, by the name that the standard library's cookie jar asks for."""
        return self.getlist(name) or default
