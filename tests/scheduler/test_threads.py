"""Conversations in the records."""

from pathlib import Path

import pytest
from contracts.threads_contract import ANSWERED, ASKED, ThreadsContract
from sqlalchemy import Engine

from devops_chatbot.conversations.threads import SqlThreads
from devops_chatbot.db.engine import open_database


class TestSqlThreads(ThreadsContract):
    @pytest.fixture
    def threads(self, engine: Engine) -> SqlThreads:
        return SqlThreads(engine)


def test_conversations_survive_a_restart(tmp_path: Path) -> None:
    first = open_database(tmp_path / "records.db")
    thread = SqlThreads(first).create("kept")
    SqlThreads(first).append(thread.id, ASKED)
    kept = SqlThreads(first).append(thread.id, ANSWERED)
    first.dispose()
    second = open_database(tmp_path / "records.db")
    assert SqlThreads(second).load(thread.id).messages[1] == kept
    second.dispose()
