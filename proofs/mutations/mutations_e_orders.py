"""Guards of the shop's days."""

from mutations.mutation import outside

DAYS = "read_models/test_shop_days.py"

MUTATIONS = [
    outside(
        "the day of an order",
        "read_models/order_shares.py",
        "shop_day(event.placed_at)",
        "event.placed_at.date()",
        DAYS,
    ),
    outside(
        "the day of a report",
        "handlers/order/get_daily_sales_handler.py",
        "shop_day(self.clock.now())",
        "self.clock.now().date()",
        DAYS,
    ),
    outside("days of another zone", "adapters/order_provider.py", "await require_same_days(database)", "pass", DAYS),
    outside("the older name", "read_models/shop_days.py", ', "kitchen_time_zone"', "", DAYS),
]
