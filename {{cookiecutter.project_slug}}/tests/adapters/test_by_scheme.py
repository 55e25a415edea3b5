import pytest

from app.adapters import cache_memory
from app.adapters.by_scheme import adapter_module
from app.core.cqrs import ConfigurationError


def test_the_scheme_names_the_file() -> None:
    assert adapter_module("cache", "memory://") is cache_memory


@pytest.mark.parametrize("url", ["memorys://secret@host", "memory", "", "Memory//", "../x://"])
def test_an_unknown_scheme_is_refused_with_the_known_ones(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"CACHE_URL .*memory://.* add app/adapters/cache_SCHEME.py") as raised:
        adapter_module("cache", url)
    assert "secret" not in str(raised.value)
