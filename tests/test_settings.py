"""The service's .env.example shows every setting with its default."""

import json
import re
import sys

from scripts.bake import ROOT, SERVICE
from tests.support import run

PRINT_DEFAULTS = """
import json
from pydantic import SecretStr
from app.core.config import Settings
fields = {name.upper(): field.default for name, field in Settings.model_fields.items()}
print(json.dumps(fields, default=SecretStr.get_secret_value))
"""


def test_the_example_shows_every_setting_with_its_default() -> None:
    printed = run(sys.executable, "-c", PRINT_DEFAULTS, cwd=ROOT / SERVICE)
    assert printed.returncode == 0, printed.stderr
    defaults = {name: "" if value is None else str(value) for name, value in json.loads(printed.stdout).items()}

    example = (ROOT / SERVICE / ".env.example").read_text(encoding="utf-8")

    assert dict(re.findall(r"^# ([A-Z_]+)=(.*)$", example, re.MULTILINE)) == defaults
