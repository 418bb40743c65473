"""What is found by name, such as source kinds, loaders and stores: built-in ones and those of installed packages, by one door."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from devops_chatbot.errors import ConfigError

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry(Generic[T]):
    """What could be registered by name, and why something could not."""

    noun: str
    found: Mapping[str, T]
    failed: Mapping[str, str]

    def get(self, name: str) -> T:
        """Raises `ConfigError`."""
        if name in self.found:
            return self.found[name]
        why = self.failed.get(name)
        if why is not None:
            raise ConfigError("registry.failed", kind=self.noun, name=name, error=why)
        raise ConfigError("registry.unknown", kind=self.noun, name=name, known=", ".join(self.found))


def registry(noun: str, built_in: Mapping[str, str], *, check: Callable[[Any], T] = lambda thing: thing) -> Registry[T]:
    """Everything of the entry point group `devops_chatbot.<noun>s` behind the built-in ones, which are written as entry
    points are (`module:object`). `check` gives what is registered under a name; whatever raises is named in the log and
    left out.
    """
    group = f"devops_chatbot.{noun.replace(' ', '_')}s"
    found: dict[str, T] = {}
    failed: dict[str, str] = {}
    points = [EntryPoint(name=name, value=value, group=group) for name, value in built_in.items()]
    for point in (*points, *entry_points(group=group)):
        try:
            if point.name in found:
                raise ValueError(f"there is another {noun} of this name")
            found[point.name] = check(point.load())
        except Exception as error:  # noqa: BLE001 foreign code must not keep the product from starting
            failed[f"{point.name} ({point.value})" if point.name in found else point.name] = (
                f"{type(error).__name__}: {error}"
            )
            _log.error("the %s %r of %s is left out: %s", noun, point.name, point.value, error, exc_info=error)
    return Registry(noun=noun, found=found, failed=failed)
