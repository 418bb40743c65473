"""The way out: only what is allowed, with credentials that code never sees, and a record."""

import contextlib
import http.server
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import PATIENCE_S

from devops_chatbot.errors import BadRequest, ConfigError, NotAllowed
from devops_chatbot.i18n import Reason
from sandbox.docker.engine import Engine
from sandbox.docker.image_build import Image
from sandbox.docker.local import LocalSandbox, SessionPolicy
from sandbox.egress import Credential, Network, Rule
from sandbox.egress.authority import Authority
from sandbox.egress.proxy import MAX_ROWS, Tally, serve
from sandbox.egress.rules import addresses
from sandbox.model import Limits, Session


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("API.example.com", Rule("api.example.com", (80, 443))),
        ("example.com:9090", Rule("example.com", (9090,))),
        ("*.example.com", Rule("*.example.com", (80, 443))),
        ("10.1.2.3:80", Rule("10.1.2.3", (80,))),
        ("[::1]:8080", Rule("::1", (8080,))),
        ("[2001:DB8:0::1]:443", Rule("2001:db8::1", (443,))),
        ("api.example.com.", Rule("api.example.com", (80, 443))),
    ],
)
def test_rules_are_read(text: str, rule: Rule) -> None:
    assert Rule.parse(text) == rule


@pytest.mark.parametrize(
    "text",
    ["", "*", "*.", "http://x.y", "a b", "x:0", "x:99999", "x:y", "a/b", "*.*", "a..b", "a" * 64, "*.10.0.0.1"],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        Rule.parse(text)


def test_a_session_gets_what_the_operator_allows_and_no_more() -> None:
    network = Network(allowed=("*.example.com", "db.intern:5432"))
    assert network.rules(("a.example.com", "db.intern:5432"))
    assert network.rules(("*.b.example.com",))
    for asked in ("example.com", "*.com", "db.intern", "evilexample.com", "a.example.com:22"):
        with pytest.raises(NotAllowed):
            network.rules((asked,))
    with pytest.raises(ConfigError):
        Network(allowed=("http://wrong",)).rules(())


def test_a_domain_covers_names_and_no_addresses() -> None:
    assert Rule.parse("*.example.com").covers("a.b.example.com", 443)
    assert not Rule.parse("*.0.0.1").covers("127.0.0.1", 443)


def ask(request: bytes, network: Network, tally: Tally, *rules: str) -> bytes:
    """What the proxy answers to one connection that sends this and goes on listening."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(request)
        ours.shutdown(socket.SHUT_WR)
        serve(theirs, rules=[Rule.parse(rule) for rule in rules], network=network, authority=None, tally=tally)
        theirs.close()
        return b"".join(iter(lambda: ours.recv(1 << 16), b""))


@pytest.mark.parametrize(
    "host", ["a" * 300, "a\tb", ".example.com", "a..example.com", f"{'a' * 64}.example.com", "a\0.example.com", "a b"]
)
def test_what_no_host_can_be_called_is_refused_in_words(host: str) -> None:
    tally = Tally()
    said = ask(f"GET http://{host}/ HTTP/1.1\r\n\r\n".encode(), Network(), tally, "*.example.com")
    assert said.startswith(b"HTTP/1.1 400 ")
    assert [row.host for row in tally.all()] == ["?"]


def test_a_name_may_not_stand_for_this_machine() -> None:
    with pytest.raises(OSError, match="no address"):
        addresses("localhost", 80)


class Echo(http.server.BaseHTTPRequestHandler):
    """Tells what it was asked, and answers with its size."""

    seen: "list[tuple[str, str, dict[str, str]]]"
    folder: Path
    """Files below `/repo.git` lie here."""

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        self.seen.append((self.command, self.path, dict(self.headers)))
        text = bytes(3_000_000) if self.path == "/big" else f"hello {len(body)}".encode()
        status = 200
        if self.path.startswith("/repo.git/"):
            file = self.folder / self.path.partition("?")[0].lstrip("/")
            status, text = (200, file.read_bytes()) if file.is_file() else (404, b"")
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def servers(tmp_path: Path) -> "Iterator[tuple[list[tuple[str, str, dict[str, str]]], int, int, Path]]":
    """What was asked; the port of a plain and of an encrypted server; the authority of the second."""
    seen: list[tuple[str, str, dict[str, str]]] = []
    handler = type("Handler", (Echo,), {"seen": seen, "folder": tmp_path})
    authority = Authority()
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(authority.pem)
    started = []
    for context in (None, authority.context("127.0.0.1")):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if isinstance(context, ssl.SSLContext):
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
    yield seen, started[0].server_port, started[1].server_port, trusted
    for server in started:
        server.shutdown()
        server.server_close()


def _recorded(network: Network, request: bytes, *, host: str) -> Tally:
    """What the proxy writes down when code sends this and leaves at once."""
    tally = Tally()
    code, proxy = socket.socketpair()
    code.sendall(request)
    code.shutdown(socket.SHUT_WR)
    code.shutdown(socket.SHUT_RD)  # the answer finds nobody
    rules = network.rules((host,))
    with contextlib.suppress(OSError), proxy:
        serve(proxy, rules=rules, network=network, authority=None, tally=tally)
    code.close()
    return tally


def test_what_code_sends_is_recorded_even_when_it_does_not_wait_for_the_answer(
    servers: "tuple[list[tuple[str, str, dict[str, str]]], int, int, Path]",
) -> None:
    seen, plain, _, _ = servers
    host = f"127.0.0.1:{plain}"
    request = f"POST http://{host}/big HTTP/1.1\r\nHost: {host}\r\nContent-Length: 6\r\n\r\nsecret".encode()
    tally = _recorded(Network(allowed=(host,)), request, host=host)
    assert [path for _, path, _ in seen] == ["/big"]
    (row,) = tally.all()
    assert (row.host, row.port, row.allowed, row.count) == ("127.0.0.1", plain, True, 1)
    assert row.bytes_out >= len(b"secret")


def test_a_body_that_comes_after_its_head_gets_through_encrypted(
    servers: "tuple[list[tuple[str, str, dict[str, str]]], int, int, Path]",
) -> None:
    """Between the two the server hands out its session tickets, which are nothing to wait for."""
    seen, _, encrypted, trusted = servers
    place = f"127.0.0.1:{encrypted}"
    credential = Credential(host="127.0.0.1", header="Authorization", value="Bearer very-secret")
    network = Network(allowed=(place,), credentials=(credential,), trusted=str(trusted))
    code, proxy = socket.socketpair()
    authority = Authority()
    options = {"rules": network.rules((place,)), "network": network, "authority": authority, "tally": Tally()}
    threading.Thread(target=serve, args=(proxy,), kwargs=options, daemon=True).start()
    code.settimeout(PATIENCE_S)
    code.sendall(f"CONNECT {place} HTTP/1.1\r\n\r\n".encode())
    assert code.recv(1000).startswith(b"HTTP/1.1 200")
    with ssl.create_default_context(cadata=authority.pem.decode()).wrap_socket(
        code, server_hostname="127.0.0.1"
    ) as inside:
        inside.sendall(b"POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\n")
        time.sleep(0.3)
        inside.sendall(b"12345")
        assert b"200" in inside.recv(1000)
    assert [(method, path) for method, path, _ in seen] == [("POST", "/p")]


def test_code_that_tries_every_name_gets_no_memory_for_it() -> None:
    tally = Tally()
    tally.add("known.example", 443, out=1)
    for number in range(3 * MAX_ROWS):
        tally.add(
            f"h{number}.example", number, why=Reason("egress.unreachable", host=f"h{number}", port=number, error="down")
        )
    tally.add("known.example", 443, out=1, count=0)
    rows = tally.all()
    assert len(rows) <= MAX_ROWS + 2
    assert sum(row.count for row in rows) == 3 * MAX_ROWS + 1
    assert [(row.count, row.bytes_out) for row in rows if row.allowed] == [(1, 2)]


@pytest.mark.service
class TestEgress:
    """Real sessions and real servers."""

    @pytest.fixture
    def sandbox(
        self, engine: Engine, image: Image, servers: "tuple[list[tuple[str, str, dict[str, str]]], int, int, Path]"
    ) -> Iterator[LocalSandbox]:
        _, plain, encrypted, trusted = servers
        network = Network(
            allowed=(f"127.0.0.1:{plain}", f"127.0.0.1:{encrypted}", "*.invalid", "localhost"),
            credentials=(Credential(host="127.0.0.1", header="Authorization", value="Bearer very-secret"),),
            trusted=str(trusted),
        )
        sandbox = LocalSandbox(
            engine, owner=f"tests-egress-{os.getpid()}", policy=SessionPolicy(warm_most=0), network=network
        )
        yield sandbox
        sandbox.close()

    @pytest.fixture
    def session(
        self, sandbox: LocalSandbox, servers: "tuple[list[tuple[str, str, dict[str, str]]], int, int, Path]"
    ) -> Iterator[Session]:
        _, plain, encrypted, _ = servers
        session = sandbox.open(
            Limits(seconds=600, network=(f"127.0.0.1:{plain}", f"127.0.0.1:{encrypted}", "x.invalid", "localhost"))
        )
        # Addresses of this machine are left to code that runs there, and the proxy is asked for the others.
        session.run("import os\nos.environ['no_proxy'] = os.environ['NO_PROXY'] = ''")
        yield session
        session.close()

    def test_what_is_allowed_is_reached_with_credentials_and_recorded(
        self, session: Session, servers: "tuple[list[tuple[str, str, dict[str, str]]], int, int, Path]"
    ) -> None:
        seen, plain, encrypted, _ = servers
        for port, scheme in ((plain, "http"), (encrypted, "https")):
            code = (
                f"import requests\nr = requests.post('{scheme}://127.0.0.1:{port}/p?q=1', data='12345', "
                "headers={'Authorization': 'mine'})\nprint(r.status_code, r.text)"
            )
            run = session.run(code)
            assert run.stdout == "200 hello 5\n", run
            method, path, headers = seen.pop()
            assert (method, path, headers["Authorization"]) == ("POST", "/p?q=1", "Bearer very-secret")
        reached = {row.port: row for row in session.info().reached}
        assert all(reached[port].allowed and reached[port].credentials for port in (plain, encrypted))
        assert reached[plain].bytes_out > 5

    def test_the_credentials_are_nowhere_inside(self, session: Session) -> None:
        looked = session.run(
            "env; cat /proc/*/environ 2>/dev/null; grep -r very-secret /tmp /work 2>/dev/null", language="shell"
        )
        assert "very-secret" not in looked.stdout

    @pytest.mark.parametrize("encrypted", [False, True])
    def test_no_head_that_ends_early_makes_the_credential_part_of_a_body(
        self, encrypted: bool, session: Session, servers: "tuple[list[object], int, int, Path]"
    ) -> None:
        seen, *ports, _ = servers
        address = f"127.0.0.1:{ports[encrypted]}"
        origin = "" if encrypted else f"http://{address}"
        code = f"""
import os, socket, ssl
def ask(method, rest):
    s = socket.create_connection(('127.0.0.1', 3128))
    s.settimeout(5)
    if {encrypted}:
        s.sendall(b'CONNECT {address} HTTP/1.1\\r\\n\\r\\n')
        s.recv(4096)
        context = ssl.create_default_context(cafile=os.environ['SSL_CERT_FILE'])
        s = context.wrap_socket(s, server_hostname='127.0.0.1')
    s.sendall(f'{{method}} {origin}/p HTTP/1.1\\r\\n{{rest}}'.encode())
    return s.recv(99999).split(b'\\r\\n')[0].decode()
"""
        run = session.run(
            code + "print(ask('POST', 'X: a\\nContent-Length: 60\\nAuthorization: mine\\n\\nZ: \\r\\n\\r\\n'))\n"
            "print(ask('TRACE', '\\r\\n'))"
        )
        assert run.stdout == "HTTP/1.1 400 Bad Request\nHTTP/1.1 405 Method Not Allowed\n", run
        assert seen == []

    def test_large_answers_and_curl(self, session: Session, servers: "tuple[list[object], int, int, Path]") -> None:
        _, plain, encrypted, _ = servers
        for address in (f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{encrypted}"):
            run = session.run(f"no_proxy= NO_PROXY= curl -s {address}/big | wc -c", language="shell")
            assert run.stdout == "3000000\n"

    def test_git_clones_with_credentials_that_it_does_not_know(
        self,
        session: Session,
        tmp_path: Path,
        servers: "tuple[list[tuple[str, str, dict[str, str]]], int, int, Path]",
    ) -> None:
        seen, plain, encrypted, _ = servers
        source = tmp_path / "source"
        identity = ("-c", "user.name=ann", "-c", "user.email=ann@example.com")
        for command in (
            ("init", "-q", source),
            ("-C", source, *identity, "commit", "-q", "--allow-empty", "-m", "the first"),
            ("clone", "-q", "--bare", source, tmp_path / "repo.git"),
            ("-C", tmp_path / "repo.git", "update-server-info"),
        ):
            subprocess.run(["git", *command], check=True)
        for number, address in enumerate((f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{encrypted}")):
            seen.clear()
            run = session.run(
                f"export no_proxy= NO_PROXY=\ngit clone -q {address}/repo.git r{number} && git -C r{number} log --format=%s",
                language="shell",
            )
            assert (run.stdout, run.exit_code) == ("the first\n", 0), run
            assert {headers["Authorization"] for _, _, headers in seen} == {"Bearer very-secret"}
        refused = session.run("git clone -q https://example.org/repo.git", language="shell")
        assert refused.exit_code != 0
        assert "403" in refused.stderr
        looked = session.run("grep -r very-secret /work /tmp; env | grep secret", language="shell")
        assert looked.stdout == ""

    def test_everything_else_is_refused_and_recorded(self, session: Session) -> None:
        for address in (
            "http://127.0.0.1:1/",
            "http://169.254.169.254/latest/meta-data",
            "http://localhost/",
            "http://x.invalid/",
        ):
            run = session.run(f"import requests\nprint(requests.get('{address}').status_code)")
            assert run.stdout in ("403\n", "502\n"), run
        refused = session.run("import requests\nrequests.get('https://example.org/')")
        assert "403 Forbidden" in refused.stderr
        rows = {(row.host, row.allowed) for row in session.info().reached}
        assert {("127.0.0.1", False), ("169.254.169.254", False), ("example.org", False), ("localhost", False)} <= rows

    def test_there_is_no_way_past_the_proxy(
        self, session: Session, servers: "tuple[list[object], int, int, Path]"
    ) -> None:
        _, plain, *_ = servers
        code = (
            "import socket\n"
            f"for place in (('127.0.0.1', {plain}), ('1.1.1.1', 53), ('169.254.169.254', 80)):\n"
            "    try: socket.create_connection(place, timeout=1); print('through')\n"
            "    except OSError: print('closed')\n"
            "try: socket.getaddrinfo('example.org', 80); print('through')\n"
            "except OSError: print('closed')\n"
            "print(socket.if_nameindex())"
        )
        assert session.run(code).stdout == "closed\n" * 4 + "[(1, 'lo')]\n"

    @pytest.mark.parametrize(
        "request_text",
        [
            "GET / HTTP/1.1\r\n\r\n",
            "nonsense\r\n\r\n",
            "GET http://[::1 HTTP/1.1\r\n\r\n",
            "A" * 70000,
            "\r\n\r\n",
            "CONNECT x HTTP/1.1\r\nbad header\r\n\r\n",
            "TRACE http://127.0.0.1/ HTTP/1.1\r\n\r\n",
            "GET http://127.0.0.1/ HTTP/1.1\r\nX: a\nY: b\r\n\r\n",
            "GET http://127.0.0.1/ HTTP/1.1\r\nX: a\0\r\n\r\n",
            "GET http://127.0.0.1/ HTTP/1.1\r\nX : a\r\n\r\n",
            "GET http://127.0.0.1/ HTTP/1.1\r\nX: a\r\n Y: b\r\n\r\n",
        ],
    )
    def test_nonsense_is_answered(self, session: Session, request_text: str) -> None:
        code = (
            "import socket\ns = socket.create_connection(('127.0.0.1', 3128))\n"
            f"s.sendall({request_text!r}.encode())\ns.settimeout(5)\nprint(s.recv(12))"
        )
        assert session.run(code).stdout.startswith("b'HTTP/1.1 4")

    def test_a_session_without_network_has_no_proxy(self, sandbox: LocalSandbox) -> None:
        session = sandbox.open()
        run = session.run("import socket\nsocket.create_connection(('127.0.0.1', 3128))")
        assert "ConnectionRefused" in run.stderr
        session.close()

    def test_what_the_operator_does_not_allow_cannot_be_asked_for(self, sandbox: LocalSandbox) -> None:
        with pytest.raises(NotAllowed):
            sandbox.open(Limits(network=("example.org",)))
        assert sandbox.list() == []
