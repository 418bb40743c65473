"""Sources have an id and options, runs that sync one name it, and what was of a job is of a run."""

import hashlib
import json
from pathlib import PurePath

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    connection = op.get_bind()
    if sa.inspect(connection).has_table("attachments"):
        op.execute("ALTER TABLE attachments RENAME COLUMN job TO run")
    if not sa.inspect(connection).has_table("knowledge_bases"):
        return
    _items_of_runs()
    sources = op.create_table(
        "sources_with_ids",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("knowledge_base", sa.String, sa.ForeignKey("knowledge_bases.id", ondelete="CASCADE"), nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("location", sa.String, nullable=False),
        sa.Column("prefix", sa.String, nullable=False),
        sa.Column("options", sa.Text, nullable=False),
        sa.UniqueConstraint("knowledge_base", "prefix"),
    )
    kinds: dict[tuple[str, str], str] = {}
    prefixes: set[tuple[str, str]] = set()

    def follow(base: str, kind: str, location: str, prefix: str) -> None:
        kinds[base, location] = kind
        prefixes.add((base, prefix))
        row = {"id": _id(base, kind, location), "knowledge_base": base, "kind": kind, "location": location}
        connection.execute(sa.insert(sources).values(row | {"prefix": prefix, "options": "{}"}))

    for row in connection.execute(sa.text("SELECT knowledge_base, kind, location, prefix FROM sources")).all():
        follow(row.knowledge_base, row.kind, row.location, row.prefix)
    runs = sa.text("SELECT id, subject, payload, state FROM runs WHERE kind = 'folder' ORDER BY created_at")
    bases = set(connection.execute(sa.text("SELECT id FROM knowledge_bases")).scalars())
    for run in connection.execute(runs).all():
        location = json.loads(run.payload)["folder"]
        if run.state is None and run.subject in bases and (run.subject, location) not in kinds:  # the first one of it
            name = PurePath(location).name or "files"
            free = (name, *(f"{name}-{number}" for number in range(2, len(prefixes) + 3)))
            follow(
                run.subject, "folder", location, next(f"{n}/" for n in free if (run.subject, f"{n}/") not in prefixes)
            )
        source = _id(run.subject, kinds.get((run.subject, location), "folder"), location)
        change = sa.text("UPDATE runs SET kind = 'sync', payload = :payload WHERE id = :id")
        connection.execute(change, {"payload": json.dumps({"source": source}), "id": run.id})
        items = sa.text("UPDATE run_items SET source = :source WHERE run = :run AND source <> ''")
        connection.execute(items, {"source": source, "run": run.id})
    came = sa.text("SELECT DISTINCT knowledge_base, source FROM documents WHERE source <> ''")
    for row in connection.execute(came).all():
        kind = kinds.get((row.knowledge_base, row.source), "folder")
        change = sa.text("UPDATE documents SET source = :id WHERE knowledge_base = :base AND source = :location")
        of = {"base": row.knowledge_base, "location": row.source}
        connection.execute(change, {"id": _id(row.knowledge_base, kind, row.source), **of})
    op.execute(
        "UPDATE runs SET error = replace(replace(error, 'folder.empty', 'source.empty'), '\"folder\":', '\"location\":') "
        "WHERE error LIKE '%folder.empty%'"
    )
    op.drop_table("sources")
    op.rename_table("sources_with_ids", "sources")


def _id(knowledge_base: str, kind: str, location: str) -> str:
    return "s" + hashlib.sha256(f"{knowledge_base}\0{kind}\0{location}".encode()).hexdigest()[:16]


def _items_of_runs() -> None:
    op.drop_index("job_items_named")
    op.drop_index("job_items_by_outcome")
    op.rename_table("job_items", "run_items")
    op.execute("ALTER TABLE run_items RENAME COLUMN job TO run")
    op.create_index("run_items_named", "run_items", ["run", "source_uri"], unique=True)
    op.create_index("run_items_by_outcome", "run_items", ["run", "outcome", "position"])
