"""Request bodies of the routes of knowledge bases, their documents and their sources."""

from collections.abc import Mapping

from pydantic import Field, JsonValue

from devops_chatbot.i18n import Language
from devops_chatbot.schemas.body import Body


class NewKnowledgeBase(Body):
    name: str = Field(examples=["Runbooks"])
    description: str = Field(default="", examples=["What to do when it burns"])
    embedding: str | None = Field(
        default=None, description="a name of `GET /api/v1/embeddings`; none: the default of the settings"
    )


class KnowledgeBaseChange(Body):
    name: str | None = None
    description: str | None = None


class NewEmbedding(Body):
    embedding: str = Field(examples=["bundled"], description="a name of `GET /api/v1/embeddings`")


class Selection(Body):
    """Several documents at once."""

    ids: tuple[str, ...] = Field(min_length=1, max_length=10_000)


class NewSource(Body):
    kind: str = Field(default="folder", description="a registered kind of source")
    location: str = Field(
        examples=["/srv/docs"],
        description="where it is; of a folder, the absolute path below one of the folders in `knowledge.folders`",
    )
    options: Mapping[str, JsonValue] = Field(default_factory=dict, description="what that kind wants to know beside")


class NewSamples(Body):
    language: Language = Field(default="en", description="of the knowledge base's name")
