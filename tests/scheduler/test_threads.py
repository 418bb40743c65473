"""Conversations in the records."""

from pathlib import Path

import pytest
from contracts.threads_contract import ANSWERED, ASKED, ThreadsContract
from sqlalchemy import Engine, text

from devops_chatbot.conversations.threads import NewMessage, SqlThreads
from devops_chatbot.db.engine import open_records


class TestSqlThreads(ThreadsContract):
    @pytest.fixture
    def threads(self, engine: Engine) -> SqlThreads:
        return SqlThreads(engine)


def test_conversations_survive_a_restart(tmp_path: Path) -> None:
    first = open_records(tmp_path / "records.db")
    thread = SqlThreads(first).create("kept")
    SqlThreads(first).append(thread.id, ASKED)
    kept = SqlThreads(first).append(thread.id, ANSWERED)
    first.dispose()
    second = open_records(tmp_path / "records.db")
    assert SqlThreads(second).load(thread.id).messages[1] == kept
    second.dispose()


def test_records_of_an_older_version_learn_to_keep_the_reason_of_a_failure(engine: Engine) -> None:
    threads = SqlThreads(engine)
    thread = threads.create("older")
    asked = threads.append(thread.id, ASKED)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE messages DROP COLUMN error"))
    opened = SqlThreads(engine)
    failed = opened.append(thread.id, NewMessage(role="assistant", text="Half", state="failed", error="It broke off."))
    assert opened.load(thread.id).messages == (asked, failed)
    assert failed.error == "It broke off."
