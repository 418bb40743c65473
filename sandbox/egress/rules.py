"""What the operator lets sessions reach, and what is added on the way."""

import ipaddress
import re
import socket
from dataclasses import dataclass, field

from devops_chatbot.errors import BadRequest, ConfigError, NotAllowed

WEB_PORTS = (80, 443)
MAX_NAME = 253
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


@dataclass(frozen=True, slots=True)
class Rule:
    """A host, or every host below a domain (`*.example.com`), at one port or at the two of the web."""

    host: str
    ports: tuple[int, ...] = WEB_PORTS

    @classmethod
    def parse(cls, text: str) -> "Rule":
        """`host`, `host:port`, `*.domain`, `[v6]:port`. Raises `BadRequest`."""
        host, colon, port = text.strip().lower().rpartition(":")
        if not colon or (":" in host and not host.startswith("[")):
            host, port = text.strip().lower(), ""
        wildcard = "*." if host.startswith("*.") else ""
        named = host_name(host.removeprefix(wildcard).strip("[]"))
        if named is None or (wildcard and _is_address(named)):
            raise BadRequest("sandbox.bad_host", host=text)
        if port and not (port.isdigit() and 0 < int(port) < 65536):
            raise BadRequest("sandbox.bad_port", host=text)
        return cls(wildcard + named, (int(port),) if port else WEB_PORTS)

    def covers(self, host: str, port: int) -> bool:
        """Whether it speaks of this place."""
        below = self.host.startswith("*.") and host.endswith(self.host[1:]) and not _is_address(host)
        named = below or host == self.host
        return named and port in self.ports

    def includes(self, other: "Rule") -> bool:
        """Whether everything that `other` covers is covered."""
        below = self.host.startswith("*.") and other.host.removeprefix("*").endswith(self.host[1:])
        return (below or other.host == self.host) and set(other.ports) <= set(self.ports)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A header that the proxy adds to requests for a host; code never sees it."""

    host: str
    header: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """The operator's list. Empty: no session reaches anything."""

    allowed: tuple[str, ...] = ()
    credentials: tuple[Credential, ...] = ()
    trusted: str = ""
    """A file with certificate authorities (PEM) to trust besides the system's, for hosts that get credentials."""

    def rules(self, asked: tuple[str, ...]) -> tuple[Rule, ...]:
        """The session's own rules. Raises `NotAllowed` for a host that the operator does not allow."""
        try:
            allowed = [Rule.parse(text) for text in self.allowed]
        except BadRequest as error:
            raise ConfigError("sandbox.bad_allowed", error=error) from error
        rules = [Rule.parse(text) for text in asked]
        for rule, text in zip(rules, asked, strict=True):
            if not any(each.includes(rule) for each in allowed):
                raise NotAllowed("sandbox.host_not_allowed", host=text)
        return tuple(rules)

    def credential(self, host: str) -> Credential | None:
        """What is added for this host."""
        return next((each for each in self.credentials if host_name(each.host) == host), None)


def host_name(text: str) -> str | None:
    """A host as everything here spells it: in small letters, without the dot of the root, an address in its one form.

    None when no host can be called that.
    """
    name = text.lower().removesuffix(".")
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name if len(name) <= MAX_NAME and all(map(_LABEL.fullmatch, name.split("."))) else None


def addresses(host: str, port: int) -> list[tuple[str, int]]:
    """Where a host is, without places that no name may stand for: this machine, its link, and nobody in particular.

    Addresses of an intranet are fine: the operator named the host. Raises OSError.
    """
    if _is_address(host):
        return [(host, port)]
    found: list[tuple[str, int]] = []
    for *_, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        address = ipaddress.ip_address(str(place[0]).partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None) or address
        special = mapped.is_loopback or mapped.is_link_local or mapped.is_multicast or mapped.is_unspecified
        if not special and not mapped.is_reserved:
            found.append((str(address), port))
    if not found:
        raise OSError("the name stands for no address that may be reached")
    return found


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
