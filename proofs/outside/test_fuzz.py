"""Requests that are made from the OpenAPI document find nothing; `make fuzz` sends more of them."""

import pytest

from outside.fuzz import ROLES, fuzz
from tests.databases import PostgresDatabases


@pytest.mark.integration
@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_found(role: str, postgres_databases: PostgresDatabases) -> None:
    found, report = fuzz(role, examples=5, seed=1)
    assert not found, report
