"""What sessions get when they ask for nothing, and the most that they may ask for."""

import dataclasses
import sys
from dataclasses import dataclass, field

from devops_chatbot.errors import BadRequest
from sandbox.model import Limits

_LEAST = Limits(
    seconds=0.1, memory_mb=64, cpus=0.05, processes=8, disk_mb=1, open_files=64, output_bytes=0, artifact_bytes=0
)
MOST = Limits(
    seconds=600,
    memory_mb=2048,
    cpus=2,
    processes=256,
    disk_mb=1024,
    open_files=4096,
    output_bytes=10_000_000,
    artifact_bytes=32_000_000,
)
_NUMBERS = tuple(field.name for field in dataclasses.fields(Limits) if field.name != "network")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The operator's limits: `usual` for who asks for nothing, `most` for who asks."""

    usual: Limits = field(default_factory=Limits)
    most: Limits = MOST

    def checked(self, limits: Limits | None) -> Limits:
        """The limits that a session gets. Raises `BadRequest` naming the limit and the setting."""
        if limits is None:
            return self.usual
        for name in _NUMBERS:
            asked, least, most = (getattr(each, name) for each in (limits, _LEAST, self.most))
            if not least <= asked <= most:  # false for what is no number, too
                told = f"{asked:g}" if abs(asked) < sys.float_info.max else "…"
                raise BadRequest("sandbox.over_limit", name=name, least=least, most=most, asked=told)
        if limits.disk_mb > limits.memory_mb:
            raise BadRequest("sandbox.disk_over_memory", disk_mb=limits.disk_mb, memory_mb=limits.memory_mb)
        return limits
