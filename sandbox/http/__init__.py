"""The sandbox behind sandbox servers elsewhere."""

CALLER_HEADER = "X-Sandbox-Caller"
"""Whom a client of a sandbox server speaks for."""
