"""What a service has imported once it works."""

import app.api.protocol
import app.worker
import tests.telemetry.service
from app.composition.container import HANDLERS
from app.composition.wiring import found_providers
from app.core.discovery import discover
from app.core.parts import optional
from app.main import found_routers

__all__ = ["app", "tests"]

discover(HANDLERS)
found_providers()
found_routers()
optional("tests.telemetry.traces.hurry")
