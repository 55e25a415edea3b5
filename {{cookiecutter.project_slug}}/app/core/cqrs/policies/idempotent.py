"""`@idempotent`: a command sent twice under one key has one effect and one answer. Reactions are deduplicated alike."""

from dataclasses import dataclass
from typing import Any

from app.core.canonical_json import canonical_json, given_names
from app.core.cqrs.attempt import attempt_here
from app.core.cqrs.errors import BadRequestError, ConflictError, CQRSError, OperationStatus, ServiceUnavailableError
from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.policies.policy import Policy, refusal, require_distinct
from app.core.cqrs.policies.transactional import Transactional
from app.core.cqrs.ports import Claim, UnitOfWork, UnitsOfWork
from app.core.cqrs.results import UNEXPECTED, CommandResult, OperationResult
from app.core.cqrs.serialization import AnswerCodec, answer_codec
from app.core.storable.types import losses


@dataclass(frozen=True)
class Idempotent(Policy):
    """Replay the first answer if a caller repeats a command under the same `idempotency_key`.

    That is the first success, or the first failure that was committed (`rollback_on`). One that was rolled back has
    no effect that could happen twice, so the command is tried again.

    Args:
        required: refuse a command without a key.
    """

    required: bool = False

    def check(self, plan: Plan) -> None:
        """Refuse anything but a transactional command whose answer survives storage."""
        if plan.kind is not Kind.COMMAND:
            raise refusal(plan, "@idempotent is for commands: a query has no effect that could happen twice.")
        if plan.policy(Transactional) is None:
            raise refusal(plan, "@idempotent needs @transactional: the key and the effect are stored together.")
        if plan.answer_type is Any:
            raise refusal(
                plan,
                "@idempotent stores the answer, so the command or the base of its handler must say what it is: "
                f"ICommand[UUID], or BaseCommandHandler[{plan.message_type.__name__}, UUID].",
            )
        for sentence in losses(plan.answer_type):
            raise refusal(plan, f"@idempotent stores the answer as JSON, and would change it by that. {sentence}")
        if not answer_codec(plan.answer_type).keeps_order:
            raise refusal(plan, "@idempotent repeats the answer to the byte, but a set has no order: answer a list.")
        require_distinct(plan, None, "@idempotent compares a repeated command with the first by its JSON")

    def step(self, plan: Plan, proceed: Step) -> Step:
        """Claim the key as the transaction's first write: a concurrent claim waits, and then gets the stored answer.

        A nested dispatch needs no key, because callers repeat the outermost command; one that it was given is claimed.
        """
        codec, policy = answer_codec(plan.answer_type), plan.policy(Transactional)

        async def once(message: Any) -> Any:
            claim = self._claim(message, is_required=self.required and not plan.nested)
            if claim is None:
                return await proceed(message)
            unit = _unit()
            answered = await unit.claim(claim)
            if answered is not None:
                return _replay(codec, answered, message)
            try:
                stored = codec.write(await proceed(message))
            except CQRSError as error:
                if policy is not None and policy.commits_despite(error):
                    await unit.keep_answer(claim, _failed(codec, error, message))
                raise
            await unit.keep_answer(claim, stored)
            return codec.read(stored, CommandResult, message)  # the first answer is equal to the replayed ones

        return once

    def _claim(self, message: Any, *, is_required: bool) -> Claim | None:
        metadata = message.metadata
        if metadata.idempotency_key is None:
            if is_required:
                raise BadRequestError(
                    "This command needs an idempotency key.", details={"idempotency_key": "is missing"}
                )
            return None
        caller = "" if metadata.user_id is None else str(metadata.user_id)
        content = canonical_json(message, given_names(message))
        return Claim(caller, message.command_name, metadata.idempotency_key, content)


idempotent = Idempotent


def _unit() -> UnitOfWork:
    attempt = attempt_here()
    if attempt is None or attempt.unit is None:
        raise ServiceUnavailableError("Idempotency keys need a database: make the bus with unit_of_work=...")
    return attempt.unit


def _failed(codec: AnswerCodec, error: CQRSError, message: Any) -> bytes:
    """Serialise a failure as callers are told of it. The error's details become those that a replay will have."""
    details, sentence = error.details, error.message
    if error.status is OperationStatus.FAILED:
        details, sentence = {}, UNEXPECTED.format(message.metadata.operation_id)
    stored = codec.write(CommandResult.failure(error.status, details, sentence))
    error.details, error.kept_for = codec.read(stored, CommandResult, message).errors, message
    return stored


def _replay(codec: AnswerCodec, answered: bytes, message: Any) -> OperationResult[Any]:
    try:
        return codec.read(answered, CommandResult, message).with_outcome(is_replay=True, is_kept=True)
    except ValueError as error:
        raise ConflictError(
            "This was done, but by another release, whose answer this one cannot read: look up what it did."
        ) from error


def deduplication(plan: Plan, proceed: Step) -> Step:
    """Skip a handler that already processed a stored event, however often it is delivered (inbox pattern).

    In a transaction, the inbox entry is its first write, so that effect and entry are stored together. Without one,
    the entry is stored afterwards: after a crash in between, the handler runs again.
    """
    units = plan.ports.units
    if plan.kind is not Kind.EVENT or units is None:
        return proceed
    name = plan.name_on_record

    async def once(record: Any) -> None:
        if not record.is_stored:
            await proceed(record)
            return
        event_id, attempt = record.event.event_id, attempt_here()
        if attempt is not None and attempt.unit is not None:
            if await attempt.unit.receive(event_id, name):
                await proceed(record)
        elif not await units.has_received(event_id, name):
            await proceed(record)
            await _note(units, event_id, name)

    return once


async def _note(units: UnitsOfWork, event_id: Any, name: str) -> None:
    unit = units.open(None)
    try:
        await unit.receive(event_id, name)
        await unit.commit()
    finally:
        await unit.close()
