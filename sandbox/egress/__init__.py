"""The way out for sessions that asked for one: a forward proxy with an allow-list, credentials and a record."""

from sandbox.egress.connections import Egress
from sandbox.egress.rules import Credential, Network, Rule

__all__ = ["Credential", "Egress", "Network", "Rule"]
