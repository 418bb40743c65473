"""The one guard of every address that a user, a document or a model supplies."""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from devops_chatbot.errors import BadRequest, NotAllowed, TooLarge, Unavailable

if TYPE_CHECKING:
    pass

if TYPE_CHECKING:
    import httpx

SCHEMES = {"http": 80, "https": 443}
REDIRECTS = 5
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What came from an address: the one that answered in the end, and its answer."""

    url: str
    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float


class UrlGuard:
    """Resolves a name once, refuses addresses inside this network unless they are on the allow-list, and connects to exactly
    what it looked at. Safe for concurrent use.

    `allowed` holds host names, addresses and networks (`10.0.0.0/8`, `*.internal`).
    """

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._names = tuple(each.lower() for each in allowed if not _network(each))
        self._networks = tuple(network for each in allowed if (network := _network(each)))

    async def resolve(self, host: str, port: int) -> str:
        """The address to connect to. Raises `NotAllowed` for one that is not public, `Unavailable` for a name without one."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise Unavailable("guard.no_address", host=host, error=error) from error
        addresses = list(dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found))
        for address in addresses:
            if not self._permitted(host, address):
                raise NotAllowed("guard.inside", host=host, address=address)
        return addresses[0]

    async def fetch(self, url: str, *, method: str = "GET", timeout_s: float = 20.0, most: int = 2_000_000) -> Fetched:
        """The answer of an address; each redirect is looked at as the first address was. Raises `BadRequest` for what is no
        such address, `NotAllowed`, `TooLarge` beyond `most` bytes, `Unavailable`.
        """
        import httpx

        begun = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(timeout_s), httpx.AsyncClient(trust_env=False, timeout=timeout_s) as http:
                for _ in range(REDIRECTS + 1):
                    request = await self._request(http, url, method)
                    async with aclosing(await http.send(request, stream=True)) as response:
                        target = response.headers.get("location")
                        if response.is_redirect and target:
                            url = urljoin(url, target)
                            continue
                        body = bytearray()
                        async for piece in response.aiter_bytes():
                            body += piece
                            if len(body) > most:
                                raise TooLarge("guard.too_large", url=url, most=most)
                        seconds = asyncio.get_running_loop().time() - begun
                        return Fetched(
                            url=url,
                            status=response.status_code,
                            headers=dict(response.headers),
                            body=bytes(body),
                            seconds=seconds,
                        )
        except TimeoutError:
            raise Unavailable("guard.too_slow", url=url, seconds=timeout_s) from None
        except httpx.HTTPError as error:
            raise Unavailable("guard.no_answer", url=url, error=str(error) or type(error).__name__) from error
        raise BadRequest("guard.redirects", url=url, most=REDIRECTS)

    async def _request(self, http: "httpx.AsyncClient", url: str, method: str) -> "httpx.Request":
        """The request that goes to the address that was looked at, under the name that was asked for."""
        import httpx

        try:
            parts = urlsplit(url)
            port = parts.port or SCHEMES.get(parts.scheme, 0)
        except ValueError as error:
            raise BadRequest("guard.no_url", url=url, error=error) from error
        if parts.scheme not in SCHEMES or not parts.hostname or parts.username or parts.password:
            raise BadRequest("guard.bad_url", url=url)
        address = await self.resolve(parts.hostname, port)
        there = httpx.URL(url).copy_with(host=address, fragment=None)
        return http.build_request(
            method,
            there,
            headers={"Host": parts.netloc, "User-Agent": "devops-chatbot"},
            extensions={"sni_hostname": parts.hostname},
        )

    def _permitted(self, host: str, address: str) -> bool:
        parsed = ipaddress.ip_address(address)
        if isinstance(parsed, ipaddress.IPv6Address):
            if parsed.ipv4_mapped or parsed.sixtofour:
                parsed = parsed.ipv4_mapped or parsed.sixtofour or parsed
            elif parsed in _NAT64:
                parsed = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if any(parsed in network for network in self._networks):
            return True
        named = any(
            host.lower() == name or (name.startswith("*.") and host.lower().endswith(name[1:])) for name in self._names
        )
        return named or (parsed.is_global and not parsed.is_multicast)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
