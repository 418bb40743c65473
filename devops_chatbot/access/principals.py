"""Who asks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody who may own records: `id` is stable, `name` is for people."""

    id: str
    name: str


LOCAL = Principal(id="local", name="Local user")
"""The one who uses an instance without logins."""
