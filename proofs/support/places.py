"""Where the service stands that is proved."""

from pathlib import Path

import app

SERVICE = Path(app.__file__).parents[1]
