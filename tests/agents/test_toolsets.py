"""The built-in toolsets against real systems, through the route that tries a tool."""

import sqlite3
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from monitoring import Monitoring
from scripted_model import nobody_there
from tool_product import Started

from devops_chatbot.calls import ToolCall
from devops_chatbot.client.client import Client
from devops_chatbot.errors import ConfigError, NotAllowed, NotFound


@pytest.fixture
def client(working: Started, monitoring: Monitoring, tmp_path: Path) -> Iterator[Client]:
    database = tmp_path / "shop.sqlite"
    with sqlite3.connect(database) as shop:
        shop.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, total REAL)")
        shop.executemany("INSERT INTO orders (customer, total) VALUES (?, ?)", [("Ada", 10.5), ("Bob | Sons", 3)] * 60)
    tools = {
        "prometheus": {"url": monitoring.prometheus},
        "alertmanager": {"url": nobody_there().removesuffix("/v1")},
        "sql": {"databases": {"shop": {"url": f"sqlite:///{database}"}}},
    }
    with working(nobody_there(), tools) as client:
        yield client


@pytest.fixture
def tried(client: Client) -> Any:
    """`tried("prometheus_query", query="up")`"""
    return lambda tool, /, **arguments: client.test_tool(tool, arguments)


def failed(call: ToolCall, words: str) -> bool:
    return call.state == "failed" and words in call.text


def test_toolsets_say_how_they_are_and_what_they_change(client: Client) -> None:
    found = {each.name: each for each in client.tools()}
    assert {name: each.state for name, each in found.items()} | {"code": "any"} == {
        "prometheus": "ready",
        "alertmanager": "failed",
        "sql": "ready",
        "probes": "ready",
        "knowledge": "ready",
        "code": "any",
        "clock": "ready",
    }
    assert "cannot be reached" in str(found["alertmanager"].why)
    effects = {tool.name: tool.effect for each in found.values() for tool in each.tools}
    assert {name for name, effect in effects.items() if effect != "read"} == {
        "alertmanager_create_silence",
        "alertmanager_expire_silence",
    }
    query = next(tool for tool in found["prometheus"].tools if tool.name == "prometheus_query")
    assert query.parameters["required"] == ["query"]
    with pytest.raises(NotAllowed):
        client.test_tool("alertmanager_expire_silence", {"silence_id": "x"})
    with pytest.raises(NotFound):
        client.test_tool("no_such_tool", {})


def test_prometheus(tried: Any, monitoring: Monitoring) -> None:
    assert 'job="node"} 1' in tried("prometheus_query", query="up").text
    assert failed(tried("prometheus_query", query="rate(node_load1[5m]"), "This is not PromQL")
    assert failed(tried("prometheus_query", query="up", at="tomorrow"), "not a moment")
    history = tried("prometheus_range", query="node_load1", start="-1h").text
    assert "step 10 s" in history
    assert "least" in history
    assert (
        "(the asked 1s would be more than 500 points)"
        in tried("prometheus_range", query="node_load1", start="-1d", step="1s").text
    )
    many = tried("prometheus_range", query="node_scrape_collector_success", start="-1m").text
    assert "Points follow of the first 20 series" in many
    named = many.partition("Points:")[0].count("\nnode_")
    assert f"{named} series" in many, "every series is named"
    assert named > 20
    assert "NodeLoadHigh" in tried("prometheus_rules", name="nodeload").text
    assert "expr: node_load1 >= 0" in tried("prometheus_rules").text
    assert f"up {monitoring.node_exporter}/metrics" in tried("prometheus_targets").text
    assert "node_filesystem_avail_bytes" in tried("prometheus_metrics", contains="FILESYSTEM").text


def test_sql_reads_and_nothing_else(tried: Any, tmp_path: Path) -> None:
    assert "shop (sqlite)" in tried("sql_schema").text
    assert "orders(id INTEGER, customer TEXT, total REAL)" in tried("sql_schema", database="shop").text
    rows = tried("sql_query", database="shop", statement="SELECT customer, sum(total) AS t FROM orders GROUP BY 1").text
    assert "Ada | 630.0" in rows
    assert "Bob \\| Sons | 180.0" in rows
    assert "There are more than 100 rows" in tried("sql_query", database="shop", statement="SELECT * FROM orders").text
    for statement, words in (
        ("DELETE FROM orders", "DELETE is not allowed"),
        ("SELECT 1; DROP TABLE orders", "These are 2 statements"),
        ("WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone", "DELETE is not allowed"),
        ("SELECT load_extension('x')", "load_extension does more than read"),
        ("PRAGMA query_only = OFF", "is not allowed"),
        ("SELEC 1", "not"),
        ("SELECT missing FROM orders", "no such column"),
    ):
        assert failed(tried("sql_query", database="shop", statement=statement), words), statement
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    assert failed(tried("sql_query", database="shop", statement=endless), "took longer")
    with sqlite3.connect(tmp_path / "shop.sqlite") as shop:
        assert shop.execute("SELECT count(*) FROM orders").fetchone() == (120,)


def test_clock(tried: Any) -> None:
    assert "2026-03-01T09:00:00+09:00 (Sunday)" in tried("time_in", zone="Asia/Tokyo", at="2026-03-01T00:00:00Z").text
    assert tried("calculate", expression="(92.5 - 81) / 3 * 24").text.endswith("= 92.0")
    for expression in ("__import__('os')", "9**9**9", "1/0", "(1).__class__", "[1][0]", "a" * 500):
        assert failed(tried("calculate", expression=expression), "cannot be computed"), expression


def test_probes_reach_nothing_inside_the_network(tried: Any) -> None:
    for url in (
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://169.254.169.254/latest",
        "http://localhost:9090/",
        "http://0/",
    ):
        assert failed(tried("probe_http", url=url), "inside this network"), url
    for url in ("file:///etc/passwd", "http://user:secret@example.com/", "ftp://example.com/", "http://", "//x"):
        assert failed(tried("probe_http", url=url), "is not an address that may be fetched"), url
    assert failed(tried("probe_tcp", host="10.0.0.1", port=22), "inside this network")
    assert failed(tried("probe_tls", host="127.0.0.1"), "inside this network")
    assert "127.0.0.1" in tried("probe_dns", host="localhost").text


def test_what_the_operator_allows_is_reached_and_redirects_are_looked_at(
    working: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            inside = self.path == "/leave"
            self.send_response(302 if inside else 200)
            if inside:
                self.send_header("Location", "http://169.254.169.254/latest/meta-data")
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(f"Hello {self.headers['Host']}".encode())

        def log_message(self, *args: object) -> None:
            """Says nothing."""

    monkeypatch.setenv("CHATBOT_GUARD__ALLOWED", '["127.0.0.1"]')
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        with working(nobody_there()) as client:
            here = f"http://127.0.0.1:{server.server_port}"
            page = client.test_tool("probe_http", {"url": here})
            assert page.text.startswith("200 from")
            assert f"Hello 127.0.0.1:{server.server_port}" in page.text
            assert failed(client.test_tool("probe_http", {"url": f"{here}/leave"}), "inside this network")
            assert (
                "accepts connections"
                in client.test_tool("probe_tcp", {"host": "127.0.0.1", "port": server.server_port}).text
            )
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("tools", "words"),
    [
        ({"prometheus": {"address": "x"}}, "tools.prometheus.address: unknown setting; expected one of url"),
        ({"prometheus": {"timeout_s": "soon"}}, "tools.prometheus.timeout_s: "),
        ({"prometeus": {}}, "There is no toolset 'prometeus'"),
    ],
)
def test_wrong_settings_of_a_toolset_are_named(working: Started, tools: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words), working(nobody_there(), tools):
        raise AssertionError


def test_secrets_of_toolsets_are_hidden(working: Started) -> None:
    secret = {"prometheus": {"url": "http://prometheus.invalid", "token": "tok-en-of-ours"}}
    with working(nobody_there(), secret) as client:
        shown = {row.key: (row.value, row.origin) for row in client.settings().settings}
        assert shown["tools.prometheus.token"] == ("(set, hidden)", "environment")
        assert shown["tools.prometheus.url"][0] == "http://prometheus.invalid"
