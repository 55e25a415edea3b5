"""The differences between the tables in the code and those in the database, as sentences."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.schema import SchemaItem

WHERE = {"add": "is only in the code", "remove": "is only in the database"}
WHAT_TO_DO = (
    "If the code is right, write the migration with `app db revision MESSAGE`, then run `app db upgrade`. If something "
    "else has changed the database, undo that."
)


def told(diffs: Iterable[Any], dialect: Dialect) -> str:
    """A sentence for each difference, and what to do.

    Args:
        diffs: what would have to be done to the database, as Alembic describes it: tuples, and a list of them for a
            column with several changes.
        dialect: that of the database, in whose words types are named.
    """
    each = [one for diff in diffs for one in (diff if isinstance(diff, list) else [diff])]
    said = [f"- {_sentence(dialect, *one)}" for one in each]
    return "\n".join(["The tables in the database are not those in the code:", *said, WHAT_TO_DO])


def _sentence(dialect: Dialect, kind: str, *parts: Any) -> str:
    way, _, what = kind.partition("_")
    if way == "modify":
        return _changed(dialect, what, *parts)
    match parts:
        case (_, str(table), column):
            return f"The column {table}.{column.name} {WHERE[way]}."
        case (item, *_) if what.endswith("_comment"):
            return f"The comment of the table {item.name} {WHERE[way]}."
        case (SchemaItem() as item, *_):
            return f"The {_named(item)} {WHERE[way]}."
    return f"{kind}: {parts}."


def _changed(dialect: Dialect, what: str, *parts: Any) -> str:
    _, table, column, _, stored, declared = parts
    name = f"The column {table}.{column}"
    match what:
        case "nullable":
            allows, refuses = ("database", "code") if stored else ("code", "database")
            return f"{name} may be NULL in the {allows}, but not in the {refuses}."
        case "type":
            return f"{name} is {stored.compile(dialect)} in the database, but {declared.compile(dialect)} in the code."
        case "default":
            has, lacks = ("code", "database") if stored is None else ("database", "code")
            return f"{name} has a server default in the {has}, but not in the {lacks}."
    return f"{name} has another {what} in the database than in the code."


def _named(item: Any) -> str:
    """A table, or an index or a constraint of one; a constraint need not have a name."""
    kind = item.__visit_name__.replace("_", " ")
    if kind == "table":
        return f"{kind} {item.name}"
    columns = ", ".join(column.name for column in item.columns)
    unique = "unique" if kind == "index" and item.unique else ""
    rule = (deletes := getattr(item, "ondelete", None)) and f"ON DELETE {deletes}"
    return " ".join(filter(None, [unique, kind, item.name, f"of {item.table.name}", columns and f"({columns})", rule]))
