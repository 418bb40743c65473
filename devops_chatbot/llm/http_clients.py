"""How a model's server is reached over HTTP: which certificates are trusted, which proxy is asked."""

import ipaddress
import ssl
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

from devops_chatbot.config.settings import ModelSettings


def client_options(settings: ModelSettings, address: str) -> dict[str, Any]:
    """Options of an httpx client for the server at `address`. No proxy is asked for what runs on this machine. Raises `OSError`
    for a file of certificates that cannot be read.
    """
    options: dict[str, Any] = {}
    if settings.ca_file is not None:
        trusted = ssl.create_default_context()
        trusted.load_verify_locations(cafile=settings.ca_file)
        options["verify"] = trusted
    elif is_on_this_machine(address):
        options["verify"] = (
            ssl.create_default_context()
        )  # heeds SSL_CERT_FILE, which httpx without `trust_env` does not
    if is_on_this_machine(address):
        options["trust_env"] = False
    return options


def proxy_for(address: str) -> str:
    """The proxy of the environment through which this address is asked, without its password; empty when there is none."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    if is_on_this_machine(address) or proxy_bypass(host):
        return ""
    found = getproxies()
    return without_password(found.get(parts.scheme) or found.get("all") or "")


def without_password(address: str) -> str:
    """An address without the user and the password in it."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def is_on_this_machine(address: str) -> bool:
    """Whether an address names a loopback interface."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
