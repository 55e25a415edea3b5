"""Registers the persistence of orders with the container."""

from dishka import Provider, provide

from app.core.scopes import Lifetime
from app.persistence.order_owners import OrderOwners
from app.persistence.repositories.menu_repository import MenuRepository
from app.persistence.repositories.order_repository import OrderRepository


class OrderPersistenceProvider(Provider):
    """Repositories for each attempt of an operation, and the owner check, one for the service."""

    owners = provide(OrderOwners, scope=Lifetime.SERVICE)

    orders = provide(OrderRepository, scope=Lifetime.OPERATION)
    menu = provide(MenuRepository, scope=Lifetime.OPERATION)
