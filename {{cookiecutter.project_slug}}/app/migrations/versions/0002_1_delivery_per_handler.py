"""Events wait for each of their handlers by themselves; handlers are known by the names of their classes."""

import re

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002_1"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
WAITING = sa.text("published_at IS NULL")
EVENT = "id, aggregate_type, aggregate_id, version, event_type, event_version, payload, metadata, occurred_at"
FOREIGN = EVENT.replace("event_type", "CASE source WHEN '' THEN event_type ELSE source || '.' || event_type END", 1)


def upgrade() -> None:
    """Go to this revision. What waited or was dead is tried again, by those handlers that have not had it."""
    op.execute(
        "UPDATE event_log SET published_at = NULL WHERE id IN (SELECT id FROM parked_events WHERE published_at IS NULL)"
    )
    _make_received_events()
    op.execute(
        f"INSERT INTO received_events ({EVENT}, source, received_at) SELECT {EVENT}, '', CURRENT_TIMESTAMP "  # noqa: S608
        "FROM parked_events WHERE published_at IS NULL AND id NOT IN (SELECT id FROM event_log)"
    )
    with op.batch_alter_table("event_log") as event_log:
        for column in _delivery():
            event_log.drop_column(column.name)
    op.create_table(
        "reactions",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("handler", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("aggregate_type", sa.Text()),
        sa.Column("aggregate_id", sa.Text()),
        sa.Column("version", sa.Integer()),
        sa.Column("due_at", MOMENT),
        sa.Column("claimed_by", sa.Text()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text()),
        sa.Column("dead", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "handler", name=op.f("pk_reactions")),
    )
    for columns in (("handler", "due_at"), ("source", "aggregate_type", "aggregate_id", "handler", "version")):
        op.create_index(op.f(f"ix_reactions_{'_'.join(columns)}"), "reactions", list(columns))
    _keep_unreadable()
    _drop_parked_events()
    _name_sources()
    _shorten_names_of_handlers()


def _keep_unreadable() -> None:
    """Messages that no release reads stay dead: there is no handler that could have them."""
    op.execute(
        "INSERT INTO reactions (event_id, handler, source, attempts, last_error, dead) "
        "SELECT id, '(unreadable)', '', attempts, last_error, dead FROM parked_events "
        "WHERE last_error LIKE 'UnreadableMessageError%' AND published_at IS NULL"
    )
    op.execute(
        "UPDATE received_events SET published_at = CURRENT_TIMESTAMP WHERE id IN (SELECT event_id FROM reactions)"
    )


def _name_sources() -> None:
    """What was `event_type = "contracts.TicketNotCovered"` is `TicketNotCovered` of the `event_source` contracts."""
    received = sa.table(
        "received_events", sa.column("source", sa.Text()), sa.column("event_type", sa.Text()), sa.column("published_at")
    )
    new = received.c.published_at.is_(None)
    connection = op.get_bind()
    for (long,) in connection.execute(sa.select(received.c.event_type).where(new).distinct()).all():
        source, _, short = long.rpartition(".")
        if source and short:
            named = received.update().where(new, received.c.event_type == long)
            connection.execute(named.values(source=re.sub(r"[-_.]+", "-", source).lower(), event_type=short))


def _shorten_names_of_handlers() -> None:
    """`app.handlers.user.send_welcome_handler.SendWelcomeHandler` was the name of `SendWelcomeHandler`."""
    inbox = sa.table("inbox", sa.column("event_id", sa.Uuid()), sa.column("handler", sa.Text()))
    twin = inbox.alias()
    connection = op.get_bind()
    for (long,) in connection.execute(sa.select(inbox.c.handler).distinct()).all():
        short = long.rpartition(".")[2]
        if short == long:
            continue
        has_twin = sa.exists().where(twin.c.event_id == inbox.c.event_id, twin.c.handler == short)
        renamed = inbox.update().where(inbox.c.handler == long, ~has_twin).values(handler=short)
        connection.execute(renamed)
        connection.execute(inbox.delete().where(inbox.c.handler == long))


def _make_received_events() -> None:
    op.create_table(
        "received_events",
        *_event(),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("previous", sa.Integer()),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_received_events")),
    )
    _index_waiting("received_events")
    op.create_index(
        op.f("ix_received_events_source_aggregate_type_aggregate_id_version"),
        "received_events",
        ["source", "aggregate_type", "aggregate_id", "version"],
    )


def _event() -> list[sa.Column]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("aggregate_type", sa.Text()),
        sa.Column("aggregate_id", sa.Text()),
        sa.Column("version", sa.Integer()),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("event_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("published_at", MOMENT),
    ]


def _delivery() -> list[sa.Column]:
    return [
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", MOMENT),
        sa.Column("last_error", sa.Text()),
        sa.Column("dead", sa.Boolean(), server_default=sa.false(), nullable=False),
    ]


def _index_waiting(table: str) -> None:
    for columns in (["id"], ["aggregate_type", "aggregate_id", "version"]):
        name = op.f(f"ix_{table}_{'_'.join(columns)}")
        op.create_index(name, table, columns, postgresql_where=WAITING, sqlite_where=WAITING)


def _drop_parked_events() -> None:
    op.drop_index(op.f("ix_parked_events_aggregate_type_aggregate_id_version"), "parked_events")
    op.drop_index(op.f("ix_parked_events_id"), "parked_events")
    op.drop_table("parked_events")


def downgrade() -> None:
    """Go back to the one before. What waits for one handler is delivered to all.

    The release before knows handlers by other names, so those that have had such an event get it once more.
    """
    op.execute(
        "UPDATE event_log SET published_at = NULL WHERE id IN (SELECT event_id FROM reactions WHERE source = '')"
    )
    with op.batch_alter_table("event_log") as event_log:
        for column in _delivery():
            event_log.add_column(column)
    op.create_table(
        "parked_events",
        *_event(),
        *_delivery(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parked_events")),
    )
    _index_waiting("parked_events")
    op.execute(
        f"INSERT INTO parked_events ({EVENT}) SELECT {FOREIGN} FROM received_events "  # noqa: S608
        "WHERE published_at IS NULL OR id IN (SELECT event_id FROM reactions)"
    )
    op.drop_table("reactions")
    op.drop_table("received_events")
