"""Who may do what with users: a handler of yours gets a row here, or in a table of its own feature."""

from uuid import UUID, uuid4

from app.core.cqrs import CQRSBus
from app.handlers.user.assign_role_handler import AssignRoleCommand
from app.handlers.user.batch_create_users_handler import BatchCreateUsersCommand
from app.handlers.user.change_password_handler import ChangePasswordCommand
from app.handlers.user.deactivate_user_handler import DeactivateUserCommand
from app.handlers.user.delete_user_handler import DeleteUserCommand
from app.handlers.user.find_users_handler import FindUsersQuery
from app.handlers.user.get_unread_notifications_handler import GetUnreadNotificationsQuery
from app.handlers.user.get_user_dashboard_handler import GetUserDashboardQuery
from app.handlers.user.get_user_handler import GetUserQuery
from app.handlers.user.get_user_stats_handler import GetUserStatsQuery
from app.handlers.user.reactivate_user_handler import ReactivateUserCommand
from app.handlers.user.revoke_role_handler import RevokeRoleCommand
from app.handlers.user.update_user_handler import UpdateUserCommand
from tests.tables import Row, assert_permissions
from tests.users import PASSWORD, People, create_user


def table(ada: UUID, root: UUID) -> list[Row]:
    """Messages about a member, an administrator, and somebody who does not exist."""
    return [
        (GetUserQuery(ada), "ada root"),
        (GetUserDashboardQuery(ada), "ada root"),
        (GetUnreadNotificationsQuery(ada), "ada root"),
        (UpdateUserCommand(ada, full_name="Ada King"), "ada root"),
        (ChangePasswordCommand(ada, PASSWORD, "another long password"), "ada"),
        (ChangePasswordCommand(root, PASSWORD, "another long password"), "root"),
        (FindUsersQuery(), "root"),
        (GetUserStatsQuery(), "root"),
        (BatchCreateUsersCommand((create_user().new_user,)), "root"),
        (AssignRoleCommand(ada, "member"), "root"),
        (RevokeRoleCommand(ada, "admin"), "root"),
        (ReactivateUserCommand(ada), "root"),
        (DeactivateUserCommand(uuid4()), "root"),
        (DeleteUserCommand(ada), "ada root"),  # the last row: she is gone then
    ]


async def test_each_message_is_for_those_whom_the_table_names(bus: CQRSBus, people: People) -> None:
    ada, bob, root = await people.member(), await people.member(), await people.administrator()
    callers = {"nobody": None, "bob": bob, "ada": ada, "root": root}
    await assert_permissions(bus, callers, table(ada.id, root.id))
