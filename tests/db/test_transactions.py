"""Writes that come at the same time and are committed together."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, event, insert, select

from devops_chatbot.db.engine import open_database
from devops_chatbot.db.transactions import GroupCommit, reading
from devops_chatbot.errors import NotFound, StoreUnavailable

numbers = Table("numbers", MetaData(), Column("n", Integer, primary_key=True))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(tmp_path / "records.sqlite")
    numbers.metadata.create_all(engine)
    yield engine
    engine.dispose()


def kept(engine: Engine) -> set[int]:
    with reading(engine) as connection:
        return set(connection.execute(select(numbers.c.n)).scalars())


def test_many_writers_share_commits_and_each_gets_its_own_end(engine: Engine) -> None:
    """The first write is held until all the others wait, so that they come together."""
    commits, waiting = GroupCommit(engine), threading.Semaphore(0)
    ends: dict[int, object] = {}
    committed: list[object] = []
    event.listen(engine, "commit", committed.append)

    def work(n: int, connection: Connection) -> int:
        if n == 0:
            for _ in range(20):
                waiting.acquire()
            threading.Event().wait(0.2)
        connection.execute(insert(numbers).values(n=n))
        if n % 5 == 3:
            raise NotFound("thread.not_found", id=n)
        return n * 10

    def write(n: int) -> None:
        waiting.release()
        try:
            ends[n] = commits.write(lambda connection: work(n, connection))
        except NotFound as error:
            ends[n] = error

    threads = [threading.Thread(target=write, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept(engine) == {n for n in range(20) if n % 5 != 3}
    assert all(isinstance(ends[n], NotFound) if n % 5 == 3 else ends[n] == n * 10 for n in range(20))
    assert len(committed) < 20


def test_what_the_database_refuses_fails_and_the_next_write_goes_on(engine: Engine) -> None:
    commits = GroupCommit(engine)

    def no_such_table(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(StoreUnavailable):
        commits.write(no_such_table)
    commits.write(lambda connection: connection.execute(insert(numbers).values(n=1)))
    assert kept(engine) == {1}
