"""Users, with the names of their roles."""

from uuid import UUID

from sqlalchemy.ext.associationproxy import association_proxy
from sqlalchemy.orm import registry, relationship

from app.domain.user import User
from app.persistence.tables import user_roles, users


class RoleOfUser:
    """A row of `user_roles`; the aggregate only sees the role's name."""

    user_id: UUID
    role: str

    def __init__(self, role: str) -> None:
        self.role = role


def map_aggregate(mapper_registry: registry) -> None:
    """Tell SQLAlchemy."""
    mapper_registry.map_imperatively(RoleOfUser, user_roles)
    mapper_registry.map_imperatively(
        User,
        users,
        # The aggregate counts its own versions; an update of a row that has another one by now finds nothing.
        version_id_col=users.c.version,
        version_id_generator=False,
        properties={
            "_roles": relationship(
                RoleOfUser, collection_class=set, cascade="all, delete-orphan", lazy="selectin", passive_deletes=True
            )
        },
    )
    User.roles = association_proxy("_roles", "role")  # type: ignore[assignment]  # acts as the set it stands for
