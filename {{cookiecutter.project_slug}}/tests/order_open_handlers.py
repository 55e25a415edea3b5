"""The handlers of orders that everybody may have run, each with its reason."""

OPEN = {
    "GetMenuHandler": "guests choose before they order",
    "PlaceOrderHandler": "guests order without an account",
    "GetOrderByIdHandler": "the order's id is random, and only its customer was told",
    "GetOrderStatusHandler": "the order's id is random, and only its customer was told",
    "GetOrderTimelineHandler": "the order's id is random, and only its customer was told",
}
