"""Input validation: `validate()` of the message, and `@validate_input` for additional checks."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from pydantic import BaseModel
from pydantic import ValidationError as SchemaError

from app.core.cqrs.errors import CommandValidationError, ConfigurationError, QueryValidationError
from app.core.cqrs.messages import Message
from app.core.cqrs.plan import Kind, Plan, Step
from app.core.cqrs.policies.policy import Policy, refusal

Validator = Callable[[Any], "dict[str, Any] | Awaitable[dict[str, Any]] | Any"]
"""Takes the message; returns error messages by field, an object with `errors`, or None if it is valid."""


@dataclass(frozen=True)
class ValidateInput(Policy):
    """Validate the message with additional checks, before anything is read or written.

    Args:
        validator_func: takes the message and returns its errors; may be `async def`.
        schema_class: a pydantic model that the message's fields must satisfy.
        strict: pydantic's strict mode, which converts nothing.
    """

    validator_func: Validator | None = None
    schema_class: type[BaseModel] | None = None
    strict: bool = True

    example = "(validator_func=...)"

    def check(self, plan: Plan) -> None:
        """Refuse events, and a decorator without a check."""
        if self.validator_func is None and self.schema_class is None:
            raise refusal(plan, "@validate_input needs a validator_func or a schema_class.")
        if plan.kind is Kind.EVENT:
            raise refusal(plan, "@validate_input is for commands and queries: an event has happened already.")


validate_input = ValidateInput


def validation(plan: Plan, proceed: Step) -> Step:
    """Refuse an invalid message. Synchronous checks need no coroutine of their own."""
    error = CommandValidationError if plan.kind is Kind.COMMAND else QueryValidationError

    def refuse_if(errors: dict[str, Any]) -> None:
        if errors:
            raise error("Some fields are not valid.", details=errors)

    for check in reversed(_checks(plan)):
        proceed = _checked(check, refuse_if, proceed)
    return proceed


def _checked(check: Validator, refuse_if: Callable[[dict[str, Any]], None], proceed: Step) -> Step:
    async def wait_for(found: Awaitable[Any], message: Any) -> Any:
        refuse_if(_errors(await found))
        return await proceed(message)

    def check_first(message: Any) -> Any:
        found = check(message)
        if found or type(found) is not dict:  # an object with errors may be false
            if isinstance(found, Awaitable):
                return wait_for(found, message)
            refuse_if(_errors(found))
        return proceed(message)

    return check_first


def _checks(plan: Plan) -> list[Validator]:
    checks: list[Validator] = []
    own = getattr(plan.message_type, "validate", None)
    if own is not None and own is not Message.validate:
        checks.append(own)
    policy = plan.policy(ValidateInput)
    if policy is not None and policy.schema_class is not None:
        checks.append(_schema_check(policy.schema_class, policy.strict))
    if policy is not None and policy.validator_func is not None:
        checks.append(policy.validator_func)
    return checks


def _errors(found: Any) -> dict[str, Any]:
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        found = getattr(found, "errors", None)
    if not isinstance(found, Mapping):
        raise ConfigurationError(
            "A validation returned neither error messages by field, nor an object with such `errors`, nor None."
        )
    return dict(found)


def _schema_check(schema: type[BaseModel], strict: bool) -> Validator:
    def check(message: Any) -> dict[str, Any]:
        values = {field.name: getattr(message, field.name) for field in fields(message)}
        try:
            schema.model_validate(values, strict=strict)
        except SchemaError as error:
            return {".".join(map(str, wrong["loc"])) or "message": wrong["msg"] for wrong in error.errors()}
        return {}

    return check
