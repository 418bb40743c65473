"""A data directory of an older version is brought up to date and loses nothing, also when that is cut off."""

import json
import multiprocessing
import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from db.old_directory import DOCUMENTS, THREAD, unpack
from patience import PATIENCE_S
from sqlalchemy import Engine, event, select
from whole_product import running

import devops_chatbot.bootstrap
from devops_chatbot.api.app import create_app
from devops_chatbot.client.client import Client
from devops_chatbot.config.data_directory import open_data_directory
from devops_chatbot.config.settings import load
from devops_chatbot.conversations import CodeRuns
from devops_chatbot.conversations.threads import SqlThreads
from devops_chatbot.db import migrate
from devops_chatbot.db.blobs import FolderBlobs
from devops_chatbot.db.engine import open_database
from devops_chatbot.db.metadata import METADATA
from devops_chatbot.errors import ConfigError
from devops_chatbot.llm import RoleAssignments
from devops_chatbot.runs.records import RunRecords, run_of
from knowledge.catalog.catalog import Catalog
from knowledge.catalog.tables import documents as documents_table


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The database of a data directory of the version before the first migration."""
    return unpack(tmp_path / "old") / "records.sqlite"


def differences(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), METADATA))


def assert_nothing_is_lost(database: Path) -> None:
    engine = open_database(database)
    try:
        assert differences(engine) == []
        catalog = Catalog(engine)
        (base,) = catalog.list()
        documents = catalog.documents(base.id).items
        assert {each.source_uri: each.state for each in documents if each.state != "waiting"} == DOCUMENTS
        assert "logrotate" in catalog.document_text(next(d.id for d in documents if d.source_uri == "docs/disk.md"))
        messages = SqlThreads(engine).load(THREAD).messages
        assert [each.role for each in messages] == ["user", "assistant"] * 2
        assert messages[1].citations[0].source_uri == "docs/disk.md"
        (run,) = CodeRuns(engine, FolderBlobs(database.parent / "conversations")).list(THREAD)
        assert (run.code, run.stdout, run.artifacts[0].name) == ("print(6 * 7)", "42\n", "plot.txt")
        assert RoleAssignments(engine).load() == {"answer": ("extractive",)}
        rows = RunRecords(engine).newest(None)
        waiting, attached, upload, folder = map(run_of, rows)
        assert [each.state for each in (waiting, attached, upload, folder)] == ["queued", "done", "done", "done"]
        assert folder.progress.counts == {"added": 2}
        assert upload.progress.counts == {"added": 1, "failed": 1}
        assert [error.what for error in upload.progress.errors] == ["empty.md"]
        assert rows[0].payload == '{"upload": "7d857fe43fff2a67"}'
        (source,) = catalog.sources(base.id)
        assert (source.kind, source.prefix, source.options) == ("folder", "docs/", {})
        assert (folder.kind, json.loads(rows[3].payload)) == ("sync", {"source": source.id})
        with engine.connect() as connection:
            assert set(connection.execute(select(documents_table.c.source)).scalars()) == {"", source.id}
    finally:
        engine.dispose()


def test_an_older_database_is_migrated_and_everything_is_found(old: Path) -> None:
    assert_nothing_is_lost(old)
    assert_nothing_is_lost(old)


def test_a_still_older_database_learns_to_keep_the_reason_of_a_failed_answer(old: Path) -> None:
    with sqlite3.connect(old) as records:
        records.execute("alter table messages drop column error")
    assert_nothing_is_lost(old)


def test_a_folder_whose_first_sync_had_not_begun_is_followed(old: Path) -> None:
    with sqlite3.connect(old) as records:
        records.execute(
            "insert into jobs select 'j2', kind, knowledge_base, '/srv/docs', 'queued', stopping, planned, total, done, added, "
            "changed, unchanged, removed, failed, error, created_at, null from jobs where kind = 'folder'"
        )
    engine = open_database(old)
    catalog = Catalog(engine)
    second, first = catalog.sources(catalog.list()[0].id)
    assert (second.kind, second.location, second.prefix) == ("folder", "/srv/docs", "docs-2/")
    assert first.prefix == "docs/"
    assert json.loads(RunRecords(engine).row("j2").payload) == {"source": second.id}
    engine.dispose()


def test_a_new_database_is_what_a_migrated_one_is(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "new.sqlite")
    assert differences(engine) == []
    engine.dispose()
    (head,) = ScriptDirectory(str(Path(migrate.__file__).with_name("migrations"))).get_heads()
    assert head == migrate.HEAD


def test_a_database_of_a_newer_version_is_refused_and_untouched(old: Path) -> None:
    open_database(old).dispose()
    with sqlite3.connect(old) as records:
        records.execute("update alembic_version set version_num = '9999'")
    before = old.read_bytes()
    with pytest.raises(ConfigError, match=r"newer version.*CHATBOT_DATA_DIR"):
        open_database(old)
    assert old.read_bytes() == before


@pytest.mark.service  # the whole product
def test_the_whole_product_goes_on_with_an_older_data_directory(
    tmp_path: Path, embedding_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = unpack(tmp_path / "old")
    (folder / "embeddings").symlink_to(embedding_cache)
    monkeypatch.setenv("CHATBOT_DATA_DIR", str(folder))
    data = open_data_directory(folder)
    product = devops_chatbot.bootstrap.build(load(), data)
    with running(create_app(product)) as url, Client(url) as client:
        ended = {run.id: list(client.run_events(run.id))[-1] for run in client.runs()}
        assert {run.state for run in ended.values()} == {"done"}
        assert ended["j18ebeb0c61660aa1ade4f3"].progress.counts == {"added": 2}, "it had not begun"
        assert client.search("Who does the late shift hand over to?").hits[0].source_uri == "late.md"
        assert client.search("The disk is full").hits[0].source_uri == "docs/disk.md"
        assert product.ingest.check(product.catalog.list()[0].id) == []
        (attached,) = client.bench.attachments(THREAD)
        assert (attached.name, attached.state) == ("notes.md", "ready")
        assert client.bench.attachment(THREAD, attached.id).data.startswith(b"# Notes")
        (run,) = client.bench.runs(THREAD)
        assert client.bench.artifact(THREAD, run.id, 0).data == b"plot\n"
        assert client.bench.sandbox(THREAD).auto_run
    data.close()
    assert not list((folder / "runs" / "staging").iterdir())
    assert not (folder / "jobs").exists()


@pytest.mark.service  # a process for each statement
def test_a_migration_that_is_killed_anywhere_is_done_by_the_next_start(tmp_path: Path) -> None:
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["db.test_migrations"])
    killed = 0
    while True:
        database = unpack(tmp_path / str(killed)) / "records.sqlite"
        process = processes.Process(target=migrate_and_die, args=(database, killed))
        process.start()
        process.join(PATIENCE_S)
        assert_nothing_is_lost(database)
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        killed += 1
    assert killed > 10


def migrate_and_die(database: Path, statements: int) -> None:
    """Dies by SIGKILL once that many statements of the migration were executed."""
    left = statements

    def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        nonlocal left
        if statement.startswith(("SELECT", "PRAGMA")):
            return
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    event.listen(Engine, "before_cursor_execute", count)
    open_database(database).dispose()
