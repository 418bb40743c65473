"""Probes from where the server runs: HTTP, DNS, TLS, TCP. All of them go through the guard of addresses."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from agents.toolbox.building import tool
from devops_chatbot.calls import Trust
from devops_chatbot.errors import Unavailable
from devops_chatbot.tools import READY, Surroundings, Tool, ToolsetState

CONNECT_S = 10.0
BODY_SHOWN = 20_000

Port = Annotated[int, Field(ge=1, le=65535)]
Host = Annotated[str, Field(description="a host name or an address", min_length=1, max_length=253)]


class ProbeSettings(BaseModel):
    """The addresses inside this network that may be reached stand in `guard.allowed`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(default=True, description="whether agents may probe addresses at all")


class Probes:
    """What an address answers. Everything that comes from there is untrusted."""

    Settings = ProbeSettings
    name = "probes"

    def __init__(self, settings: ProbeSettings, surroundings: Surroundings) -> None:
        self._enabled = settings.enabled
        self._guard = surroundings.guard

    async def state(self) -> ToolsetState:
        from devops_chatbot.i18n import Reason

        if not self._enabled:
            return ToolsetState(state="disabled", why=Reason("toolset.off", key="tools.probes.enabled"))
        return READY

    def tools(self) -> Sequence[Tool]:
        probes = (self.probe_http, self.probe_dns, self.probe_tls, self.probe_tcp)
        return [tool(each, trust=Trust.UNTRUSTED) for each in probes]

    async def probe_http(self, url: Annotated[str, Field(description="http:// or https://")]) -> str:
        """What an address answers to GET: status, headers, how long it took, and the beginning of the text."""
        found = await self._guard.fetch(url)
        kind = found.headers.get("content-type", "")
        text = (
            found.body[:BODY_SHOWN].decode("utf-8", "replace")
            if "text" in kind or "json" in kind or "xml" in kind
            else ""
        )
        cut = f"\n… {len(found.body) - BODY_SHOWN} more bytes" if text and len(found.body) > BODY_SHOWN else ""
        headers = "\n".join(f"{name}: {value}" for name, value in found.headers.items())
        shown = f"{text}{cut}" if text else f"({len(found.body)} bytes of {kind or 'an unnamed type'})"
        return f"{found.status} from {found.url} after {found.seconds:.3f} s\n{headers}\n\n{shown}"

    async def probe_dns(self, host: Host) -> str:
        """The addresses (A and AAAA) of a host name, as this server's resolver says."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise Unavailable("guard.no_address", host=host, error=error) from error
        return "\n".join(dict.fromkeys(str(each[4][0]) for each in found))

    async def probe_tls(self, host: Host, port: Port = 443) -> str:
        """The certificate of a server: whom it is for, who signed it, until when it is valid, and whether it is trusted."""
        from cryptography import x509

        address = await self._guard.resolve(host, port)
        trusted, problem = True, ""
        try:
            der = await _certificate(address, port, host, ssl.create_default_context())
        except ssl.SSLCertVerificationError as error:
            trusted, problem = False, error.verify_message
            lax = ssl.create_default_context()
            lax.check_hostname, lax.verify_mode = False, ssl.CERT_NONE
            der = await _certificate(address, port, host, lax)
        certificate = x509.load_der_x509_certificate(der)
        left = certificate.not_valid_after_utc - datetime.now(UTC)
        names: Sequence[str] = ()
        with contextlib.suppress(x509.ExtensionNotFound):
            found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            names = [str(each.value) for each in found.value]
        return "\n".join(
            (
                f"subject {certificate.subject.rfc4514_string()}, for {', '.join(names) or 'no names'}",
                f"issuer {certificate.issuer.rfc4514_string()}",
                f"valid from {certificate.not_valid_before_utc} until {certificate.not_valid_after_utc}"
                f" ({left.total_seconds() / 86400:.1f} days left)",
                "trusted" if trusted else f"not trusted: {problem}",
            )
        )

    async def probe_tcp(self, host: Host, port: Port) -> str:
        """Whether a TCP port accepts connections, and how long that took."""
        address = await self._guard.resolve(host, port)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            async with asyncio.timeout(CONNECT_S):
                _, writer = await asyncio.open_connection(address, port)
        except (OSError, TimeoutError) as error:
            words = str(error) or f"no answer within {CONNECT_S:g} s"
            return f"{host}:{port} ({address}) does not accept: {words}"
        seconds = loop.time() - begun
        writer.close()
        return f"{host}:{port} ({address}) accepts connections, after {seconds * 1000:.1f} ms"


async def _certificate(address: str, port: int, host: str, context: ssl.SSLContext) -> bytes:
    """The certificate in DER. Raises `ssl.SSLCertVerificationError`, and `Unavailable` for everything else."""
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=host)
    except ssl.SSLCertVerificationError:
        raise
    except (OSError, TimeoutError) as error:
        raise Unavailable("guard.no_answer", url=f"{host}:{port}", error=str(error) or "no answer in time") from error
    found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return found
