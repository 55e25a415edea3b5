"""What billing needs of adapters, for the container."""

from dishka import Provider, provide

from app.adapters.billing_settings import BillingSettings
from app.core.config import checked
from app.core.scopes import Lifetime
from app.domain.billing_limits import BillingLimits


class BillingAdaptersProvider(Provider):
    """The limits, as the settings have them."""

    @provide(scope=Lifetime.SERVICE)
    def limits(self) -> BillingLimits:
        """What may be on an invoice."""
        return BillingLimits(checked(BillingSettings).largest_invoice)
