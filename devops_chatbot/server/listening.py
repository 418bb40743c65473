"""Sockets that servers listen on, and what is said when they cannot."""

import errno
import socket

from devops_chatbot.config.settings import PREFIX
from devops_chatbot.errors import ConfigError


def listen(host: str, port: int, *, setting: str, name: str = "port") -> socket.socket:
    """A listening socket. Raises `ConfigError` naming the key `name` or `host` of the section `setting`."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # named as TCP so that the event loop switches Nagle off on what it accepts: 44 ms an answer otherwise
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen(2048)
        except OSError:
            bound.close()
            raise
    except socket.gaierror as error:
        raise ConfigError("settings.bad_host", setting=setting, host=host, error=error.strerror) from error
    except OSError as error:
        key = f"{setting}.{name}"
        variable = PREFIX + key.upper().replace(".", "__")
        if error.errno == errno.EADDRINUSE:
            raise ConfigError("settings.port_taken", key=key, port=port, variable=variable, host=host) from error
        why = error.strerror
        raise ConfigError(
            "settings.port_forbidden", key=key, port=port, variable=variable, host=host, error=why
        ) from error
    return bound


def url_of(host: str, port: int) -> str:
    """The address of a server there, for people and programs."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
