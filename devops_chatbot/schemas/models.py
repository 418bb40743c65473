"""Request bodies of the routes of models."""

from pydantic import Field

from devops_chatbot.schemas.body import Body


class RoleChange(Body):
    models: tuple[str, ...] = Field(examples=[["local", "hosted"]], description="tried in this order; may be empty")
