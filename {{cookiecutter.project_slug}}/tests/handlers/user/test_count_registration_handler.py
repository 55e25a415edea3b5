from app.composition.container import RunningService
from app.core.cqrs import CQRSBus
from app.domain.user_events import UserCreated
from app.handlers.user.count_registration_handler import CountRegistrationHandler
from app.persistence.tables import registrations
from tests.databases import ON_SQLITE
from tests.rows import deliver_again, rows_of
from tests.users import People


async def test_each_registration_counts_once_however_often_the_event_comes(
    service: RunningService, people: People
) -> None:
    for _ in range(3):
        await people.member()
    await deliver_again(service)
    assert len(await rows_of(service, registrations)) == 3


@ON_SQLITE
async def test_what_fails_afterwards_does_not_fail_the_command(bus: CQRSBus, people: People) -> None:
    class Broken(CountRegistrationHandler):
        async def _handle(self, event: UserCreated) -> None:
            raise RuntimeError("a bug in a reaction")

    bus.register_event_handler(UserCreated, Broken(session=None))  # type: ignore[arg-type]
    ada = await people.member()
    await bus.settled()
    assert (await ada.login()).is_success
