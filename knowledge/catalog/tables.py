"""The catalog's tables."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from devops_chatbot.access.ownership import owner_column
from devops_chatbot.db.metadata import METADATA, ReasonsText, ReasonText

knowledge_bases = Table(
    "knowledge_bases",
    METADATA,
    Column("id", String, primary_key=True),
    owner_column(),
    Column("name", String, nullable=False),
    Column(
        "name_key", String, nullable=False, unique=True
    ),  # the owner and the name as compared: composed, without case
    Column("description", Text, nullable=False),
    Column("embedding", String, nullable=False),
    Column("created_at", Float, nullable=False),
)

dropped = Table(  # knowledge bases that are gone from the catalog and not yet from every store
    "dropped_knowledge_bases",
    METADATA,
    Column("id", String, primary_key=True),
)

sources = Table(
    "sources",
    METADATA,
    Column("id", String, primary_key=True),
    Column("knowledge_base", ForeignKey(knowledge_bases.c.id, ondelete="CASCADE"), nullable=False),
    Column("kind", String, nullable=False),
    Column("location", String, nullable=False),
    Column("prefix", String, nullable=False),  # in front of the URIs of its documents; unique in the knowledge base
    Column("options", Text, nullable=False),  # JSON
    UniqueConstraint("knowledge_base", "prefix"),
)

documents = Table(
    "documents",
    METADATA,
    Column("id", String, primary_key=True),
    Column("knowledge_base", ForeignKey(knowledge_bases.c.id, ondelete="CASCADE"), nullable=False),
    Column("source_uri", String, nullable=False),
    Column("title", Text, nullable=False),
    Column("state", String, nullable=False),
    Column("loader", String, nullable=False),
    Column("splitter", String, nullable=False),
    Column("version", String, nullable=False),  # the active one; empty: none yet
    Column("generation", Integer, nullable=False),  # how often somebody asked to read it anew
    Column("shape", String, nullable=False),  # digest of the settings that shaped the active version
    Column("content", String, nullable=False),  # SHA-256 of the original behind the active version
    Column("bytes", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),  # 0: not to be trusted
    Column("chunks", Integer, nullable=False),
    Column("error", ReasonText),
    Column("notes", ReasonsText, nullable=False, server_default="[]"),  # what of the file is not in the active version
    Column("source", String, nullable=False),  # id of the source it came from; empty: an upload
    Column("updated_at", Float, nullable=False),
    Index("documents_of", "knowledge_base", "source_uri", unique=True),
    Index("documents_by_content", "content"),
)

chunks = Table(  # of active versions only
    "chunks",
    METADATA,
    Column("id", String, primary_key=True),
    Column("document", String, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("char_start", Integer, nullable=False),
    Column("char_end", Integer, nullable=False),
    Column("section_start", Integer, nullable=False),
    Column("section_end", Integer, nullable=False),
    Column("heading_path", Text, nullable=False),  # JSON
    Column("line_start", Integer),
    Column("line_end", Integer),
    Column("page", Integer),
    Column("digest", LargeBinary, nullable=False),  # of what was embedded: an equal one can take over the vector
    Index("chunks_of", "document", "ordinal"),
)

BLOCK = 4096
"""Characters of a document's text in one row, so that a passage of a huge document is as near as any other."""

texts = Table(  # of active versions only; block n starts at character n * BLOCK
    "texts",
    METADATA,
    Column("document", String, primary_key=True),
    Column("block", Integer, primary_key=True),
    Column("text", Text, nullable=False),
)


def _versions(name: str) -> Table:
    return Table(
        name,
        METADATA,
        Column("document", String, primary_key=True),
        Column("version", String, primary_key=True),
        Column("knowledge_base", String, nullable=False, index=True),
        Column("chunks", Integer, nullable=False),
    )


pending = _versions("pending_versions")  # being written to the stores, not active yet
retired = _versions("retired_versions")  # not active any more, perhaps still in the stores

items = Table(  # the files of runs; one without an outcome is still to be done
    "run_items",
    METADATA,
    Column("run", String, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("source_uri", String, nullable=False),
    Column("path", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("source", String, nullable=False),
    Column("anew", Boolean, nullable=False),  # read it even when it did not change
    Column("outcome", String),
    Column("reason", ReasonText),
    Index("run_items_named", "run", "source_uri", unique=True),
    Index("run_items_by_outcome", "run", "outcome", "position"),
)
