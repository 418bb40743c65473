"""Fixtures of the tests of agents and tools."""

from tool_product import working

__all__ = ["working"]
