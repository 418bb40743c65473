"""The self-test: tries to break out on this very host, and says what held."""

from sandbox.selftest.running import run

__all__ = ["run"]
