"""Who may do what with orders: a handler of yours gets a row here, or in a table of its own feature."""

from uuid import UUID

from app.core.cqrs import CQRSBus
from app.domain.menu import Changes
from app.handlers.order.cancel_order_handler import CancelOrderCommand
from app.handlers.order.get_daily_sales_handler import GetDailySalesQuery
from app.handlers.order.get_kitchen_queue_handler import GetKitchenQueueQuery
from app.handlers.order.get_order_history_handler import GetOrderHistoryQuery
from app.handlers.order.get_orders_handler import GetOrdersQuery
from app.handlers.order.get_popular_pizzas_handler import GetPopularPizzasQuery
from app.handlers.order.get_recent_orders_handler import GetRecentOrdersQuery
from app.handlers.order.mark_pizza_ready_handler import MarkPizzaReadyCommand
from app.handlers.order.process_payment_handler import ProcessPaymentCommand
from app.handlers.order.scroll_orders_handler import ScrollOrdersQuery
from app.handlers.order.start_cooking_handler import StartCookingCommand
from app.handlers.order.update_menu_handler import UpdateMenuCommand
from app.handlers.order.update_order_address_handler import UpdateOrderAddressCommand
from tests.orders import TOTAL, placed
from tests.tables import Row, assert_permissions
from tests.users import People, Person


def table(ada: UUID, hers: UUID, of_nobody: UUID) -> list[Row]:
    """Messages about a customer, her order, and one that was placed without an account."""
    return [
        (GetRecentOrdersQuery(ada), "ada cook root"),
        (GetOrderHistoryQuery(ada), "ada cook root"),
        (GetOrdersQuery(), "cook root"),
        (ScrollOrdersQuery(), "cook root"),
        (GetKitchenQueueQuery(), "cook root"),
        (GetDailySalesQuery(), "cook root"),
        (GetPopularPizzasQuery(), "cook root"),
        (UpdateMenuCommand("margherita", Changes(is_available=False)), "cook root"),
        (ProcessPaymentCommand(hers, TOTAL), "ada cook root"),
        (ProcessPaymentCommand(of_nobody, TOTAL), "cook root"),
        (UpdateOrderAddressCommand(hers, "2 Low Street"), "ada cook root"),
        (UpdateOrderAddressCommand(of_nobody, "2 Low Street"), "cook root"),
        (CancelOrderCommand(hers), "ada cook root"),
        (CancelOrderCommand(of_nobody), "cook root"),
        (StartCookingCommand(hers, "staff-7", 20), "cook root"),
        (MarkPizzaReadyCommand(hers, 0), "cook root"),
    ]


async def test_each_message_is_for_those_whom_the_table_names(bus: CQRSBus, people: People, cook: Person) -> None:
    ada, bob, root = await people.member(), await people.member(), await people.administrator()
    callers = {"nobody": None, "bob": bob, "ada": ada, "cook": cook, "root": root}
    await assert_permissions(bus, callers, table(ada.id, await placed(ada), await placed(bus)))
