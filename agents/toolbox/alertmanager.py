"""Alertmanager: alerts, groups, silences; setting and ending a silence are writes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, Field

from agents.toolbox.building import tool
from agents.toolbox.http_api import HttpApi, HttpSettings
from agents.toolbox.moments import span
from devops_chatbot.errors import BadRequest
from devops_chatbot.tools import Surroundings, Tool, ToolsetState, caller

LONGEST_SILENCE_H = 24 * 7


class Matcher(BaseModel):
    """Which alerts: those whose label `name` is (or is not) `value`, or matches it as a regular expression."""

    name: str
    value: str
    op: Literal["=", "!=", "=~", "!~"] = "="


class Alertmanager:
    """The tools of one Alertmanager."""

    Settings = HttpSettings
    name = "alertmanager"

    def __init__(self, settings: HttpSettings, surroundings: Surroundings) -> None:  # noqa: ARG002 the seam's signature
        self._api = HttpApi("Alertmanager", settings)

    async def state(self) -> ToolsetState:
        return await self._api.state("/api/v2/status", key="tools.alertmanager.url")

    def tools(self) -> Sequence[Tool]:
        return [
            tool(self.alertmanager_alerts),
            tool(self.alertmanager_groups),
            tool(self.alertmanager_silences),
            tool(self.alertmanager_create_silence, effect="write", happened=self._silence_made),
            tool(self.alertmanager_expire_silence, effect="write", happened=self._silence_ended),
        ]

    async def alertmanager_alerts(
        self,
        filters: Annotated[
            list[str] | None, Field(description='such as `alertname="HighLoad"`; every one has to match')
        ] = None,
    ) -> str:
        """The alerts that Alertmanager holds, with their state (active, suppressed by which silence), labels, annotations."""
        alerts = await self._api.get("/api/v2/alerts", {"filter": filters or []})
        return "\n".join(map(_alert, alerts)) or "Alertmanager holds no such alert."

    async def alertmanager_groups(self) -> str:
        """Alerts as Alertmanager groups and routes them: the group's labels, the receiver, how many alerts."""
        groups = await self._api.get("/api/v2/alerts/groups")
        lines = [
            f"{each['labels'] or 'no labels'} → {each['receiver']['name']}: {len(each['alerts'])} alerts\n"
            + "\n".join(f"  {_alert(alert)}" for alert in each["alerts"])
            for each in groups
        ]
        return "\n".join(lines) or "There is no group: no alert is active."

    async def alertmanager_silences(
        self, expired: Annotated[bool, Field(description="expired ones too")] = False
    ) -> str:
        """Silences with their matchers, who set them, why and until when."""
        found = [
            each for each in await self._api.get("/api/v2/silences") if expired or each["status"]["state"] != "expired"
        ]
        return (
            "\n".join(
                f"{each['id']} {each['status']['state']} until {each['endsAt']}, by {each['createdBy']}: "
                f"{', '.join(map(_matcher, each['matchers']))}\n  {each['comment']}"
                for each in found
            )
            or "There is no silence."
        )

    async def alertmanager_create_silence(
        self,
        matchers: Annotated[list[Matcher], Field(description="all of them have to match", min_length=1)],
        duration: Annotated[str, Field(description="such as `2h`; at most 7 days")],
        comment: Annotated[str, Field(description="why, for the people on call", min_length=3)],
    ) -> str:
        """Set a silence: notifications for the alerts that match stop until it ends. A person has to approve it."""
        length = span(duration)
        if not 0 < length.total_seconds() <= LONGEST_SILENCE_H * 3600:
            raise BadRequest("alertmanager.too_long", duration=duration, most=LONGEST_SILENCE_H)
        if all(not each.value or each.value in (".*", ".+") for each in matchers):
            raise BadRequest("alertmanager.matches_all")
        now = datetime.now(UTC)
        made = await self._api.send(
            "POST",
            "/api/v2/silences",
            {
                "matchers": [
                    {
                        "name": each.name,
                        "value": each.value,
                        "isRegex": "~" in each.op,
                        "isEqual": not each.op.startswith("!"),
                    }
                    for each in matchers
                ],
                "startsAt": now.isoformat(),
                "endsAt": (now + length).isoformat(),
                "createdBy": caller.get().principal.name,
                "comment": f"{comment} {_mark(caller.get().call)}".strip(),
            },
        )
        until = (now + length).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"Silence {made['silenceID']} is set until {until}."

    async def alertmanager_expire_silence(self, silence_id: str) -> str:
        """End a silence now. A person has to approve it."""
        await self._api.send("DELETE", f"/api/v2/silence/{quote(silence_id, safe='')}")
        return f"Silence {silence_id} is ended."

    async def _silence_made(self, call: str, arguments: Mapping[str, Any]) -> bool | None:  # noqa: ARG002 the seam's
        return any(_mark(call) in each["comment"] for each in await self._api.get("/api/v2/silences"))

    async def _silence_ended(self, call: str, arguments: Mapping[str, Any]) -> bool | None:  # noqa: ARG002 the seam's
        found = await self._api.get(f"/api/v2/silence/{quote(str(arguments['silence_id']), safe='')}")
        return bool(found["status"]["state"] == "expired")


def _mark(call: str) -> str:
    """Stands in a silence's comment, so that it can be seen whether a call took effect."""
    return f"[{call}]" if call else ""


def _alert(alert: Mapping[str, Any]) -> str:
    labels = ", ".join(f'{name}="{value}"' for name, value in sorted(alert["labels"].items()))
    silenced = f", silenced by {', '.join(alert['status']['silencedBy'])}" if alert["status"]["silencedBy"] else ""
    notes = "".join(f"\n  {name}: {text}" for name, text in sorted(alert["annotations"].items()))
    return f"{alert['status']['state']}{silenced} since {alert['startsAt']}: {labels}{notes}"


def _matcher(matcher: Mapping[str, Any]) -> str:
    operator = (
        ("=~" if matcher.get("isEqual", True) else "!~")
        if matcher["isRegex"]
        else ("=" if matcher.get("isEqual", True) else "!=")
    )
    return f'{matcher["name"]}{operator}"{matcher["value"]}"'
