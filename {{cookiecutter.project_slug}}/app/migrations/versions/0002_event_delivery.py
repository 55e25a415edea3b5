"""Events are delivered from the event log: what became of each, and who has received what."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
WAITING = sa.text("published_at IS NULL")


def upgrade() -> None:
    """Go to this revision."""
    with op.batch_alter_table("event_log") as event_log:
        for column in _delivery():
            event_log.add_column(column)
    op.execute("UPDATE event_log SET published_at = occurred_at")  # until now, their own process delivered them
    op.create_table(
        "parked_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("aggregate_type", sa.Text()),
        sa.Column("aggregate_id", sa.Text()),
        sa.Column("version", sa.Integer()),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("occurred_at", MOMENT, nullable=False),
        *_delivery(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parked_events")),
    )
    for table in ("event_log", "parked_events"):
        _index(table, "id")
        _index(table, "aggregate_type", "aggregate_id", "version")
    op.create_table(
        "inbox",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("handler", sa.Text(), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("event_id", "handler", name=op.f("pk_inbox")),
    )
    op.create_index(op.f("ix_inbox_received_at"), "inbox", ["received_at"])


def _delivery() -> list[sa.Column]:
    return [
        sa.Column("event_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("published_at", MOMENT),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", MOMENT),
        sa.Column("last_error", sa.Text()),
        sa.Column("dead", sa.Boolean(), server_default=sa.false(), nullable=False),
    ]


def _index(table: str, *columns: str) -> None:
    name = op.f(f"ix_{table}_{'_'.join(columns)}")
    op.create_index(name, table, list(columns), postgresql_where=WAITING, sqlite_where=WAITING)


def downgrade() -> None:
    """Go back to the one before."""
    op.drop_table("inbox")
    op.drop_table("parked_events")
    op.drop_index(op.f("ix_event_log_id"), "event_log")
    op.drop_index(op.f("ix_event_log_aggregate_type_aggregate_id_version"), "event_log")
    with op.batch_alter_table("event_log") as event_log:
        for column in _delivery():
            event_log.drop_column(column.name)
