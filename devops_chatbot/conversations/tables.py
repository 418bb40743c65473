"""The tables of conversations. What belongs to a message or a thread goes with it, by the database's own hand."""

from sqlalchemy import JSON, Boolean, Column, Float, ForeignKey, Integer, String, Table, Text, UniqueConstraint

from devops_chatbot.access.ownership import owner_column
from devops_chatbot.db.metadata import METADATA, ReasonText

threads_table = Table(
    "threads",
    METADATA,
    Column("id", String, primary_key=True),
    owner_column(),
    Column("title", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False, index=True),
)
messages_table = Table(
    "messages",
    METADATA,
    Column("position", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("thread", ForeignKey(threads_table.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("role", String, nullable=False),
    Column("text", Text, nullable=False),
    Column("citations", Text, nullable=False),
    Column("route", Text),
    Column("model", String),
    Column("usage", Text),
    Column("work", Text),  # JSON: what agents did
    Column("state", String, nullable=False),
    Column("error", ReasonText, nullable=False, server_default=""),
    Column("thought", Text, nullable=False, server_default=""),
    Column("given", Text, nullable=False, server_default="[]"),
    Column("created_at", Float, nullable=False),
    Column("knowledge_bases", JSON, nullable=False, server_default="[]"),
    Column("answers", String),  # id of the question that an answer belongs to
)

code_runs = Table(
    "code_runs",
    METADATA,
    Column("id", String, primary_key=True),
    Column("thread", ForeignKey(threads_table.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("message", ForeignKey(messages_table.c.id, ondelete="CASCADE"), nullable=False),
    Column("block", Integer, nullable=False),  # which code block of the message, from 0
    Column("language", String, nullable=False),
    Column("code", Text, nullable=False),
    Column("outcome", Text, nullable=False),  # JSON
    Column("artifacts", Text, nullable=False),  # JSON; their bytes lie in files
    Column("bytes", Integer, nullable=False),  # of those files
    Column("created_at", Float, nullable=False),
    UniqueConstraint("message", "block"),
)

attachments = Table(
    "attachments",
    METADATA,
    Column("id", String, primary_key=True),
    Column("thread", ForeignKey(threads_table.c.id, ondelete="CASCADE"), nullable=False),
    Column("name", String, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("run", String),  # that makes it searchable; none: it is not meant to be
    Column("created_at", Float, nullable=False),
    UniqueConstraint("thread", "name"),
)

knowledge_of = Table(  # the hidden knowledge base of a thread; outlives the thread until it is dropped
    "thread_knowledge",
    METADATA,
    Column("thread", String, primary_key=True),
    Column("knowledge_base", String, nullable=False),
)

options = Table(
    "thread_options",
    METADATA,
    Column("thread", ForeignKey(threads_table.c.id, ondelete="CASCADE"), primary_key=True),
    Column("auto_run", Boolean, nullable=False),
)
