"""The tables of questions that wait for people. What belongs to a message goes with it, by the database's own hand."""

from sqlalchemy import Boolean, Column, Float, ForeignKey, String, Table, Text

from devops_chatbot.conversations.tables import messages_table, threads_table
from devops_chatbot.db.metadata import METADATA

suspensions = Table(
    "suspensions",
    METADATA,
    Column("message", ForeignKey(messages_table.c.id, ondelete="CASCADE"), primary_key=True),
    Column("thread", ForeignKey(threads_table.c.id, ondelete="CASCADE"), nullable=False),
    Column("state", Text, nullable=False),  # JSON: the question, its route, and the journal of its flow
)

approvals = Table(
    "approvals",
    METADATA,
    Column("id", String, primary_key=True),
    Column("thread", ForeignKey(threads_table.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("message", ForeignKey(messages_table.c.id, ondelete="CASCADE"), nullable=False, index=True),
    Column("question", Text, nullable=False),
    Column("call", Text, nullable=False),  # JSON
    Column("support", Text, nullable=False),  # JSON
    Column("state", String, nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("decided_at", Float),
    Column("decided_by", String),
    Column("scope", String, nullable=False, server_default="once"),
    Column("edited", Boolean, nullable=False, server_default="0"),
    Column("note", Text, nullable=False, server_default=""),
    Column("unclear", Boolean, nullable=False, server_default="0"),
    Column("outcome", Text),  # JSON
)
