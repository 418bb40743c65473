"""Makes the tables of an empty database, and brings those of an older version up to date, in one transaction each."""

import logging
from pathlib import Path

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, insert, inspect, select

from devops_chatbot.db.metadata import METADATA
from devops_chatbot.db.transactions import reading, writing
from devops_chatbot.errors import ConfigError

HEAD = "0010"
"""The newest revision below `migrations/versions`: the one that the tables of this version have."""

_log = logging.getLogger(__name__)
_version = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))  # Alembic's own


def bring_up_to_date(engine: Engine) -> None:
    """Nothing is left half done when this is cut off: the transaction is undone, and the next start begins again.

    Alembic is imported only when there is something to migrate. The caller owns the data directory, so nobody else
    migrates at the same time. Raises `ConfigError` for a database that a newer version wrote, and `StoreUnavailable`.
    """
    with reading(engine) as connection:
        tables = inspect(connection).get_table_names()
        found = connection.execute(select(_version)).scalar() if _version.name in tables else None
    if found == HEAD:
        return
    with writing(engine) as connection:
        if tables:
            _log.warning("The database is brought up to date, from revision %s to %s.", found or "none", HEAD)
            _upgrade(connection)
        METADATA.create_all(connection)
        if not tables:
            _version.create(connection)
            connection.execute(insert(_version).values(version_num=HEAD))


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, HEAD)
    except CommandError as error:
        raise ConfigError("records.newer", error=error) from error
