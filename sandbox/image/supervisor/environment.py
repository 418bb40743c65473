"""The environment variables that interpreters start with."""

CA_BUNDLE = "/tmp/.ca-bundle.pem"
SYSTEM_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


def usual(folder: str) -> "dict[str, str]":
    """What every session has; `folder` is where its files lie."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": folder,
        "USER": "sandbox",
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",
        "TERM": "dumb",
    }


def proxy(address: str) -> "dict[str, str]":
    """What sends programs to the proxy at `address`."""
    names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
    own = "127.0.0.1,localhost"
    return {**dict.fromkeys(names, address), "no_proxy": own, "NO_PROXY": own}


def trust(authorities: bytes) -> "dict[str, str]":
    """What makes programs trust `authorities` (PEM) beside the system's own, in a bundle that this writes."""
    with open(CA_BUNDLE, "wb") as bundle:
        try:
            with open(SYSTEM_BUNDLE, "rb") as system:
                bundle.write(system.read())
        except FileNotFoundError:
            pass  # the base image trusts nobody
        bundle.write(b"\n" + authorities)
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO")
    return dict.fromkeys(names, CA_BUNDLE)
