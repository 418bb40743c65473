"""Which addresses mean this machine and no other."""

import ipaddress

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 compared with, never bound to


def is_loopback(host: str) -> bool:
    """Whether a host name or address can be reached from this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def reachable(host: str) -> str:
    """The address by which this machine reaches a server that listens on `host`."""
    return _ANY.get(host, host)
