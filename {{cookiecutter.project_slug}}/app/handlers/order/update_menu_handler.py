"""Change the menu."""

from dataclasses import dataclass, field

from app.core.cqrs import (
    BadRequestError,
    BaseCommandHandler,
    ICommand,
    authorize,
    command_handler,
    invalidates,
    transactional,
)
from app.domain.menu import LONGEST_ID, Changes
from app.domain.text import line_problem, only_problems
from app.persistence.repositories.menu_repository import MenuRepository


@dataclass(frozen=True)
class MenuUpdate:
    """The changes that were made to the menu."""

    pizza_id: str
    changed: tuple[str, ...]


@dataclass(frozen=True)
class UpdateMenuCommand(ICommand[MenuUpdate]):
    """Change the given fields of an item on the menu."""

    pizza_id: str
    changes: Changes = field(default_factory=Changes)

    def validate(self) -> dict[str, str]:
        """The rules for the given fields, of which there must be one."""
        return self.changes.problems() | only_problems({"pizza_id": line_problem(self.pizza_id, LONGEST_ID)})

    def get_aggregate_id(self) -> str:
        """The pizza's id."""
        return self.pizza_id


@command_handler(UpdateMenuCommand)
@transactional()
@authorize(permissions=["menu:update"])
@invalidates("menu")
class UpdateMenuHandler(BaseCommandHandler[UpdateMenuCommand, MenuUpdate]):
    """Change the given fields of an item on the menu. Orders keep the prices they were placed at."""

    menu: MenuRepository

    async def _handle(self, command: UpdateMenuCommand) -> MenuUpdate:
        item = await self.menu.locked(command.pizza_id)
        unknown = sorted(set(command.changes.toppings or ()) - (await self.menu.topping_prices()).keys())
        if unknown:
            raise BadRequestError(
                f"There is no such topping: {', '.join(unknown)}.", details={"toppings": "are not known"}
            )
        return MenuUpdate(item.id, item.update(command.changes))
