"""Which adapter a URL selects, and what is said where its driver is not installed."""

import sys

import pytest

from app.adapters.by_scheme import adapter_module
from app.core.cqrs import ConfigurationError


@pytest.mark.parametrize(("encrypted", "plain"), [("amqps", "amqp"), ("kafkas", "kafka"), ("rediss", "redis")])
def test_encrypted_or_not_it_is_the_same_adapter(encrypted: str, plain: str) -> None:
    assert adapter_module("broker", f"{encrypted}://host") is adapter_module("broker", f"{plain}://host")


def test_a_driver_that_is_not_installed_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faststream.nats", None)
    monkeypatch.delitem(sys.modules, "app.adapters.broker_nats", raising=False)
    with pytest.raises(ConfigurationError, match=r"BROKER_URL asks for nats, whose driver .*'\.\[nats\]'"):
        adapter_module("broker", "nats://secret@host")


def test_the_driver_of_a_cache_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    for name in [name for name in sys.modules if name.startswith(("app.adapters.cache_redis", "app.adapters.redis_"))]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ConfigurationError, match=r"CACHE_URL asks for redis, whose driver .*'\.\[redis\]'"):
        adapter_module("cache", "rediss://secret@host")


def test_the_brokers_are_listed_with_their_encrypted_schemes() -> None:
    with pytest.raises(ConfigurationError, match=r"amqp://, amqps://, kafka://, kafkas://, nats://, redis://, rediss:"):
        adapter_module("broker", "mqtt://host")


@pytest.mark.parametrize("scheme", ["natss", "redi", "rediss ", "settings"])
def test_no_other_scheme_is_taken(scheme: str) -> None:
    with pytest.raises(ConfigurationError, match="BROKER_URL has a scheme that nobody here understands"):
        adapter_module("broker", f"{scheme}://host")
