from datetime import date
from decimal import Decimal
from uuid import uuid4

import pytest

from app.core.cqrs import ConflictError
from app.domain.billing import Invoice


def test_an_invoice_is_paid_or_void_but_not_both() -> None:
    paid, void = (Invoice(id=uuid4(), customer_id=uuid4(), amount=Decimal(1), due=date(2026, 1, 31)) for _ in range(2))
    paid.pay(date(2026, 1, 2))
    void.void("a mistake")
    with pytest.raises(ConflictError, match="paid already"):
        paid.void("a mistake")
    with pytest.raises(ConflictError, match="void already"):
        void.pay(date(2026, 1, 2))
