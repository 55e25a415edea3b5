"""`@idempotent`: a command sent twice under one key has one effect and one answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.core.cqrs.errors import BadRequestError, ServiceUnavailableError
from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.policies.policy import K, Policy, record, refuse
from app.core.cqrs.policies.transactional import Transactional
from app.core.cqrs.ports import Claim
from app.core.cqrs.results import CommandResult
from app.core.cqrs.storable_types import losses
from app.core.cqrs.targets import require_arguments
from app.core.cqrs.wire import answer_codec, canonical_json
from app.core.cqrs.work import current_work


@dataclass(frozen=True)
class Idempotent(Policy):
    """Recorded by `idempotent`."""

    required: bool

    def check(self, plan: Plan) -> None:
        if plan.kind is not Kind.COMMAND:
            raise refuse(plan, "@idempotent is for commands: a query has no effect that could happen twice.")
        if plan.policy(Transactional) is None:
            raise refuse(plan, "@idempotent needs @transactional: the key and the effect are stored together.")
        if plan.answer_type is Any:
            raise refuse(
                plan,
                "@idempotent stores the answer, so the command or the base of its handler must say what it is: "
                f"ICommand[UUID], or BaseCommandHandler[{plan.message_type.__name__}, UUID].",
            )
        for sentence in losses(plan.answer_type):
            raise refuse(plan, f"@idempotent stores the answer as JSON, and would change it by that. {sentence}")
        if not answer_codec(plan.answer_type).keeps_order:
            raise refuse(plan, "@idempotent repeats the answer to the byte, but a set has no order: answer a list.")


def idempotent(required: bool = False) -> Callable[[K], K]:
    """Replay the first successful answer if a caller repeats a command under the same `idempotency_key`.

    Args:
        required: refuse a command without a key.

    Raises:
        PolicyError: if it is used without parentheses, or on anything but a handler class.
    """
    require_arguments("idempotent", "@idempotent()", required)
    return lambda handler: record(handler, Idempotent(required))


def idempotency(plan: Plan, proceed: Step) -> Step:
    """Claim the key as the transaction's first write: a concurrent claim waits, and then gets the stored answer.

    A nested dispatch claims no key, because callers repeat the outermost command.
    """
    policy = plan.policy(Idempotent)
    if policy is None or plan.nested:
        return proceed
    codec = answer_codec(plan.answer_type)

    async def once(message: Any) -> Any:
        claim = _claim(message, policy)
        if claim is None:
            return await proceed(message)
        work = current_work()
        if work is None or work.unit is None:
            raise ServiceUnavailableError("Idempotency keys need a database: make the bus with unit_of_work=...")
        answered = await work.unit.claim(claim)
        if answered is not None:
            return codec.read(answered, CommandResult, message).with_outcome(is_replay=True)
        stored = codec.write(await proceed(message))
        await work.unit.keep_answer(claim, stored)
        return codec.read(stored, CommandResult, message)  # the first answer is equal to the replayed ones

    return once


def _claim(message: Any, policy: Idempotent) -> Claim | None:
    metadata = message.metadata
    if metadata.idempotency_key is None:
        if policy.required:
            raise BadRequestError("This command needs an idempotency key.", details={"idempotency_key": "is missing"})
        return None
    caller = "" if metadata.user_id is None else str(metadata.user_id)
    command = type(message)
    former = f"{command.__module__}.{command.__qualname__}"
    return Claim(caller, command.command_name, metadata.idempotency_key, canonical_json(message), former)
