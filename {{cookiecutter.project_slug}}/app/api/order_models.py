"""What bodies about orders and the menu are made of."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from app.api.models import Text

Texts = Annotated[tuple[Text, ...], Field(strict=False)]
"""A list of texts, as messages have it: nobody adds to it any more."""

Amount = Annotated[Decimal, Field(strict=False, max_digits=20, allow_inf_nan=False)]
"""An amount of money, as text such as `"12.99"`, or as a number."""
