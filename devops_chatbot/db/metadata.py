"""The `MetaData` of every table. The tables themselves stand beside the nouns they keep."""

import json

from sqlalchemy import Dialect, MetaData, Text
from sqlalchemy.types import TypeDecorator

from devops_chatbot.i18n import Reason

METADATA = MetaData()


class ReasonText(TypeDecorator[Reason]):
    """A column that keeps a reason; the sentence that an older version wrote there is one too."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Reason | None, dialect: Dialect) -> str | None:  # noqa: ARG002 SQLAlchemy's own
        return value.to_json() if value else None

    def process_result_value(self, value: str | None, dialect: Dialect) -> Reason | None:  # noqa: ARG002
        return Reason.from_json(value) if value else None


class ReasonsText(TypeDecorator[tuple[Reason, ...]]):
    """A column that keeps several reasons."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[Reason, ...] | None, dialect: Dialect) -> str:  # noqa: ARG002
        return json.dumps([each.to_dict() for each in value or ()], ensure_ascii=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[Reason, ...]:  # noqa: ARG002
        return tuple(map(Reason.parse, json.loads(value or "[]")))
