"""Jobs become runs: what a job did stands in its progress, and one that had not ended begins anew."""

import json
from pathlib import PurePath
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

COUNTS = ("added", "changed", "unchanged", "removed", "failed")


def upgrade() -> None:
    runs = op.create_table(
        "runs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False, index=True),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("progress", sa.Text),
        sa.Column("state", sa.String, index=True),
        sa.Column("error", sa.Text),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("finished_at", sa.Float),
    )
    connection = op.get_bind()
    if not sa.inspect(connection).has_table("jobs"):
        return
    jobs = connection.execute(sa.text("SELECT * FROM jobs")).mappings().all()
    failed = connection.execute(
        sa.text("SELECT job, source_uri, reason FROM job_items WHERE outcome = 'failed' ORDER BY job, position")
    ).all()
    for job in jobs:
        errors = [{"what": row.source_uri, "reason": row.reason or ""} for row in failed if row.job == job["id"]]
        connection.execute(sa.insert(runs).values(_run(job, errors)))
    op.drop_table("jobs")
    connection.execute(sa.text("DELETE FROM job_items"))


def _run(job: Any, errors: list[dict[str, str]]) -> dict[str, object]:
    ended = job["state"] in ("done", "cancelled", "failed")
    match job["kind"]:
        case "upload":
            payload: dict[str, object] = {"upload": PurePath(job["argument"]).name}
        case "folder":
            payload = {"folder": job["argument"]}
        case _:
            payload = {"documents": json.loads(job["argument"])}
    progress = {
        "done": job["done"],
        "total": job["total"],
        "counts": {name: job[name] for name in COUNTS if job[name]},
        "errors": errors,
    }
    return {
        "id": job["id"],
        "kind": job["kind"],
        "subject": job["knowledge_base"],
        "payload": json.dumps(payload),
        "progress": json.dumps(progress) if ended else None,
        "state": job["state"] if ended else None,
        "error": job["error"],
        "created_at": job["created_at"],
        "finished_at": job["finished_at"],
    }
