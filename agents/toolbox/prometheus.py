"""Prometheus: queries, alerts, rules, targets, names of metrics."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from agents.toolbox.building import tool
from agents.toolbox.http_api import HttpApi, HttpSettings
from agents.toolbox.moments import iso, moment, span
from devops_chatbot.errors import BadRequest
from devops_chatbot.tools import Surroundings, Tool, ToolsetState

MOST_POINTS = 500
"""Of a series in a range; the step is computed so that there are no more."""
SERIES_SHOWN = 20
NAMES_SHOWN = 200
NICE_STEPS = (1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)

Promql = Annotated[str, Field(description="PromQL")]


class Prometheus:
    """The tools of one Prometheus server, or of what speaks its API."""

    Settings = HttpSettings
    name = "prometheus"

    def __init__(self, settings: HttpSettings, surroundings: Surroundings) -> None:  # noqa: ARG002 the seam's signature
        self._api = HttpApi("Prometheus", settings)

    async def state(self) -> ToolsetState:
        return await self._api.state("/api/v1/query", {"query": "1"}, key="tools.prometheus.url")

    def tools(self) -> Sequence[Tool]:
        return [
            tool(self.prometheus_query),
            tool(self.prometheus_range),
            tool(self.prometheus_alerts),
            tool(self.prometheus_rules),
            tool(self.prometheus_targets),
            tool(self.prometheus_metrics),
        ]

    async def prometheus_query(
        self,
        query: Promql,
        at: Annotated[str, Field(description="`now`, `-2h`, or ISO 8601")] = "now",
    ) -> str:
        """The value of a PromQL expression at one moment."""
        _parsed(query)
        data = await self._data("/api/v1/query", {"query": query, "time": str(moment(at).timestamp())})
        return _instant(data)

    async def prometheus_range(
        self,
        query: Promql,
        start: Annotated[str, Field(description="`-1h`, or ISO 8601")] = "-1h",
        end: Annotated[str, Field(description="`now`, or ISO 8601")] = "now",
        step: Annotated[str, Field(description="such as `30s`; empty: computed for at most 500 points")] = "",
    ) -> str:
        """How a PromQL expression developed between two moments: the least, mean, greatest, first and last value of each
        series, and the points of the first ones."""
        _parsed(query)
        first, last = moment(start).timestamp(), moment(end).timestamp()
        if last <= first:
            raise BadRequest("prometheus.no_range", start=start, end=end)
        least = (last - first) / MOST_POINTS
        wanted = span(step).total_seconds() if step else 0.0
        width = max(
            wanted, next((nice for nice in NICE_STEPS if nice >= least), math.ceil(least)) if wanted < least else 0
        )
        asked = {"query": query, "start": str(first), "end": str(last), "step": str(width)}
        data = await self._data("/api/v1/query_range", asked)
        note = (
            f"step {width:g} s (the asked {step} would be more than {MOST_POINTS} points)" if 0 < wanted < width else ""
        )
        return _range(data["result"], iso(first), iso(last), note or f"step {width:g} s")

    async def prometheus_alerts(self) -> str:
        """The alerts that are pending or firing now, as Prometheus sees them, with labels, annotations and since when."""
        alerts = (await self._data("/api/v1/alerts"))["alerts"]
        if not alerts:
            return "No alert is pending or firing."
        return "\n".join(
            f"{each['state']} since {each['activeAt']}, value {each.get('value', '?')}: {_labels(each['labels'])}"
            + "".join(f"\n  {name}: {text}" for name, text in sorted(each["annotations"].items()))
            for each in alerts
        )

    async def prometheus_rules(
        self, name: Annotated[str, Field(description="only rules whose name contains this; empty: all")] = ""
    ) -> str:
        """Alerting and recording rules with their expression, duration and health."""
        groups = (await self._data("/api/v1/rules"))["groups"]
        lines = [
            f"{rule['type']} {rule['name']} (group {group['name']}, {group['file']}), state {rule.get('state', '-')}, "
            f"health {rule['health']}{', ' + rule['lastError'] if rule.get('lastError') else ''}\n"
            f"  expr: {rule['query']}\n  for: {rule.get('duration', 0):g} s"
            + "".join(f"\n  {key}: {text}" for key, text in sorted(rule.get("annotations", {}).items()))
            for group in groups
            for rule in group["rules"]
            if name.lower() in rule["name"].lower()
        ]
        return "\n".join(lines) or f"No rule's name contains {name!r}."

    async def prometheus_targets(self) -> str:
        """What Prometheus scrapes, whether each target is up, and its last error."""
        targets = (await self._data("/api/v1/targets", {"state": "active"}))["activeTargets"]
        lines = [
            f"{each['health']} {each['scrapeUrl']} {_labels(each['labels'])} last scrape {each['lastScrape']}"
            + (f"\n  error: {each['lastError']}" if each["lastError"] else "")
            for each in targets
        ]
        return "\n".join(lines) or "Prometheus scrapes nothing."

    async def prometheus_metrics(
        self, contains: Annotated[str, Field(description="a part of the name, such as `filesystem`")]
    ) -> str:
        """Names of metrics."""
        names = [each for each in await self._data("/api/v1/label/__name__/values") if contains.lower() in each.lower()]
        more = f"\n… and {len(names) - NAMES_SHOWN} more; ask with a longer part" if len(names) > NAMES_SHOWN else ""
        return "\n".join(names[:NAMES_SHOWN]) + more if names else f"No metric's name contains {contains!r}."

    async def _data(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        return (await self._api.get(path, query))["data"]


def _parsed(query: str) -> None:
    """Raises `BadRequest` with the parser's words, which go back to the model."""
    import promql_parser

    try:
        promql_parser.parse(query)
    except ValueError as error:
        raise BadRequest("prometheus.no_promql", query=query, error=error) from None


def _labels(labels: Mapping[str, str]) -> str:
    rest = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()) if name != "__name__")
    return f"{labels.get('__name__', '')}{{{rest}}}"


def _instant(data: Mapping[str, Any]) -> str:
    match data["resultType"]:
        case "scalar" | "string":
            return f"{data['result'][1]} at {iso(data['result'][0])}"
        case "vector":
            rows = [f"{_labels(each['metric'])} {each['value'][1]}" for each in data["result"]]
            if not rows:
                return "The result is empty: no series matches."
            return f"at {iso(data['result'][0]['value'][0])}, {len(rows)} series\n" + "\n".join(rows)
    return "\n".join(
        f"{_labels(each['metric'])} " + " ".join(f"{iso(when)}={value}" for when, value in each["values"])
        for each in data["result"]
    )


def _range(series: Sequence[Mapping[str, Any]], first: str, last: str, step: str) -> str:
    if not series:
        return f"from {first} to {last}: the result is empty, no series matches."
    lines = [f"from {first} to {last}, {step}, {len(series)} series"]
    if len(series) > SERIES_SHOWN:
        lines += [f"Points follow of the first {SERIES_SHOWN} series; for those of the others aggregate or select."]
    lines += [
        f"{_labels(each['metric'])}: {_summary([float(value) for _, value in each['values']])}" for each in series
    ]
    lines += ["Points:"]
    for each in series[:SERIES_SHOWN]:
        points = " ".join(f"{iso(when)[11:19]}={float(value):g}" for when, value in each["values"])
        lines.append(f"{_labels(each['metric'])} {points}")
    return "\n".join(lines)


def _summary(values: Sequence[float]) -> str:
    finite = [each for each in values if math.isfinite(each)]
    if not finite:
        return f"no finite value in {len(values)} points"
    mean = sum(finite) / len(finite)
    return (
        f"least {min(finite):g}, mean {mean:g}, greatest {max(finite):g}, first {finite[0]:g}, last {finite[-1]:g}"
        f" ({len(values)} points)"
    )
