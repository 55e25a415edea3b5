"""The mapping of users, with the names of their roles."""

from uuid import UUID

from sqlalchemy.ext.associationproxy import association_proxy
from sqlalchemy.orm import registry, relationship

from app.domain.user import User
from app.persistence.tables import user_roles, users


class RoleOfUser:
    """A row of `user_roles`; the aggregate sees only the name of the role."""

    user_id: UUID
    role: str

    def __init__(self, role: str) -> None:
        self.role = role


def map_aggregate(mapper_registry: registry) -> None:
    """Map these classes to their tables."""
    mapper_registry.map_imperatively(RoleOfUser, user_roles)
    mapper_registry.map_imperatively(
        User,
        users,
        # The aggregate counts its own versions; an UPDATE finds no row if its version has changed meanwhile.
        version_id_col=users.c.version,
        version_id_generator=False,
        properties={
            "_roles": relationship(
                RoleOfUser, collection_class=set, cascade="all, delete-orphan", lazy="selectin", passive_deletes=True
            )
        },
    )
    User.roles = association_proxy("_roles", "role")  # type: ignore[assignment]  # behaves like a set of names
