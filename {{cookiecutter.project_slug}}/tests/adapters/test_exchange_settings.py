from typing import Any

import pytest

from app.adapters.exchange_settings import ExchangeSettings
from app.core.config import SettingsError, checked


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"broker_topic": "hunter2."}, "BROKER_TOPIC is not valid"),
        ({"broker_group": ""}, "BROKER_GROUP is not valid"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence_without_the_value(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SettingsError) as raised:
        checked(ExchangeSettings, **values)
    assert sentence in str(raised.value)
    assert "hunter2" not in str(raised.value)
