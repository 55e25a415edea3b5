"""The service's .env.example shows every setting with its default."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.support import MOST, Bake, run

PRINT_DEFAULTS = """
import json
from pydantic import SecretStr
from pydantic_settings import BaseSettings
from app.composition.wiring import found_providers
from app.core.config import all_settings
found_providers()
all_settings()
def derived(base):
    return [found for one in base.__subclasses__() for found in (one, *derived(one))]
fields = {
    name.upper(): getattr(settings(_env_file=None), name) if field.default_factory else field.default
    for settings in derived(BaseSettings)
    if settings.__module__.startswith("app.")
    for name, field in settings.model_fields.items()
}
print(json.dumps(fields, default=SecretStr.get_secret_value))
"""


@pytest.mark.parametrize(("sample", "more"), [("pizzeria", MOST), ("none", {})])
def test_the_example_shows_every_setting_with_its_default(
    sample: str, more: dict[str, str], bake: Bake, tmp_path: Path
) -> None:
    service = bake(sample=sample, project_name="Order Desk", **more)
    printed = run(sys.executable, "-c", PRINT_DEFAULTS, cwd=service.installed(tmp_path))
    assert printed.returncode == 0, printed.stderr
    defaults = {name: "" if value is None else str(value) for name, value in json.loads(printed.stdout).items()}

    assert dict(re.findall(r"^# ([A-Z_]+)=(.*)$", service.text(".env.example"), re.MULTILINE)) == defaults
    assert ("PAYMENT_URL" in defaults) is (sample == "pizzeria")
    assert ({"BROKER_URL", "CACHE_PREFIX", "TRACES_URL"} & {*defaults} != set()) is bool(more)
