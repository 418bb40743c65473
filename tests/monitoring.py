"""Prometheus, Alertmanager and node exporter from Debian's packages, with a rule that fires at once."""

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from patience import wait_until
from services import Missing, Service

PROGRAMS = {
    "prometheus": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "prometheus-node-exporter": "prometheus-node-exporter",
}
RULES = """groups:
- name: node
  rules:
  - alert: NodeLoadHigh
    expr: node_load1 >= 0
    labels: {severity: warning, team: platform}
    annotations:
      summary: The load of {{ $labels.instance }} is {{ $value }}.
      runbook_url: https://runbooks.example.com/NodeLoadHigh
  - record: instance:cpu:rate1m
    expr: avg by (instance) (rate(node_cpu_seconds_total{mode!="idle"}[1m]))
"""


@dataclass(frozen=True, kw_only=True)
class Monitoring:
    """Where each of them listens."""

    prometheus: str
    alertmanager: str
    node_exporter: str

    def get(self, url: str) -> Any:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 loopback
            return json.load(answer)

    def silences(self) -> list[dict[str, Any]]:
        """The active ones."""
        found = self.get(f"{self.alertmanager}/api/v2/silences")
        return [each for each in found if each["status"]["state"] == "active"]


@Service
def monitoring(say: Callable[[str], None]) -> Iterator[Monitoring]:
    missing = [package for package, program in PROGRAMS.items() if shutil.which(program) is None]
    if missing:
        raise Missing(f"{', '.join(missing)}: apt-get install {' '.join(missing)}")
    ports = dict(zip(("prometheus", "alertmanager", "node"), _free_ports(3), strict=True))
    with tempfile.TemporaryDirectory(prefix="monitoring-") as name, contextlib.ExitStack() as running:
        folder = Path(name)
        (folder / "rules.yml").write_text(RULES)
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            "rule_files: [rules.yml]\n"
            f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{ports['alertmanager']}']}}]}}]}}\n"
            f"scrape_configs: [{{job_name: node, static_configs: [{{targets: ['127.0.0.1:{ports['node']}']}}]}}]\n"
        )
        (folder / "alertmanager.yml").write_text(
            "route: {receiver: nobody, group_wait: 1s, group_by: [alertname]}\nreceivers: [{name: nobody}]\n"
        )
        say("Starting Prometheus, Alertmanager and node exporter, and waiting for a rule to fire")
        commands = [
            ["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{ports['node']}"],
            [
                "prometheus-alertmanager",
                f"--config.file={folder / 'alertmanager.yml'}",
                f"--storage.path={folder / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{ports['alertmanager']}",
                "--cluster.listen-address=",
            ],
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'prometheus'}",
                f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
            ],
        ]
        for command in commands:
            log = running.enter_context((folder / f"{command[0]}.log").open("wb"))
            process = subprocess.Popen(command, stdout=log, stderr=log)
            running.callback(process.wait)
            running.callback(process.kill)
        found = Monitoring(
            prometheus=f"http://127.0.0.1:{ports['prometheus']}",
            alertmanager=f"http://127.0.0.1:{ports['alertmanager']}",
            node_exporter=f"http://127.0.0.1:{ports['node']}",
        )
        wait_until(lambda: _fires(found))
        yield found


def _fires(found: Monitoring) -> bool:
    try:
        held = found.get(f"{found.alertmanager}/api/v2/alerts")
        seen = found.get(f"{found.prometheus}/api/v1/query?query=count_over_time(node_load1[1m])")["data"]["result"]
    except (urllib.error.URLError, OSError):
        return False
    return bool(held) and bool(seen) and int(seen[0]["value"][1]) >= 3


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
