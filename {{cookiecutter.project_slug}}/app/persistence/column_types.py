"""Column types that behave alike on SQLite and PostgreSQL: JSON, points in time, amounts of money."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import operators

from app.domain.money import rounded

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """Points in time: always aware and in UTC, also on SQLite, which has no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert for the database. Raises ValueError for a naive time, whose moment would be ambiguous."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A time without a zone cannot be stored: use datetime.now(UTC).")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Convert from the database."""
        if value is None:
            return None
        moment: datetime = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return moment


class Money(TypeDecorator[Decimal]):
    """Amounts of money, stored as whole cents: SQLite has no decimals, and sums must be exact to the cent."""

    impl = BigInteger
    cache_ok = True

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        """The type of a value in an expression with an amount. Raises TypeError for a factor or a divisor."""
        if op in (operators.mul, operators.truediv, operators.floordiv, operators.mod):
            raise TypeError("SQL would take this factor or divisor for an amount of cents: calculate in Python.")
        return super().coerce_compared_value(op, value)

    def process_bind_param(self, value: Decimal | float | None, dialect: Dialect) -> int | None:
        """Convert for the database. Raises ValueError for a fraction of a cent, since rounding was forgotten."""
        if value is None:
            return None
        if isinstance(value, float):
            raise ValueError("A float is not exact: an amount of money is a Decimal, or an int of whole units.")
        if value != rounded(Decimal(value)):
            raise ValueError("A part of a cent cannot be stored: use app.domain.money.rounded.")
        return int(value * 100)

    def process_result_value(self, value: int | Decimal | None, dialect: Dialect) -> Decimal | None:
        """Convert from the database."""
        return None if value is None else Decimal(value).scaleb(-2)
