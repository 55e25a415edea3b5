"""Commands, queries and events on one bus; decorators declare everything around a handler.

Read it in this order:

messages, metadata         the messages, and the metadata of an operation
status, errors, results    the outcome of an operation
handlers, answers          the base classes of handlers, and helpers that create results
injected                   dependency injection into handlers
registry, targets          @command_handler, @query_handler, @event_handler, and checks of the decorated object
policies/, tags            one decorator each: @transactional, @authorize, @cached_query, ...; cache tags
middleware/                around every message: tracing, logging, metrics, audit, error reports, and your own
plan, pipeline             the fixed order of the steps, compiled once for each message type
attempt, follow_up         the steps around the handler, and after its commit
closing, groups            failures while closing, and the reduction of exception groups to one error
savepoint, background      savepoints in a transaction, and tasks that outlive an operation
dispatch, work             the operation in progress, and the state that one attempt of it shares
aggregate, events          events: raised, stored with the state, delivered after the commit
publishing                 a unit of work for an event that is published outside of one
event_types                serialisation of events, and upcasting of older versions
storable_types             which types survive a JSON round trip, checked at the start
storable_values            whether a value does, checked before it is stored
registrations, names       the handlers of one bus, and the checks at registration
compiled, registering, bus the bus itself
ports                      the ports of the bus, which adapters implement
testing/                   a test kit for handlers: fakes, tracked runs, failing commits, crash points
"""

from app.core.cqrs.aggregate import AggregateRoot, EventRecord, EventSourcedAggregate, RaisedEvent
from app.core.cqrs.background import background
from app.core.cqrs.bus import CQRSBus
from app.core.cqrs.errors import (
    AuthenticationError,
    AuthorizationError,
    BadRequestError,
    BusinessRuleViolationError,
    CircularEventsError,
    CommandHandlerNotFoundError,
    CommandValidationError,
    ConcurrencyError,
    ConfigurationError,
    ConflictError,
    CQRSError,
    DiscoveryError,
    DuplicateHandlerError,
    HandlerNotFoundError,
    HandlerTimeoutError,
    PolicyError,
    QueryHandlerNotFoundError,
    QueryValidationError,
    RateLimitedError,
    ResourceNotFoundError,
    ServiceUnavailableError,
    TransientError,
    UnstorableError,
    ValidationError,
)
from app.core.cqrs.handlers import BaseCommandHandler, BaseEventHandler, BaseQueryHandler
from app.core.cqrs.messages import DomainEvent, ICommand, IQuery
from app.core.cqrs.metadata import OperationMetadata
from app.core.cqrs.middleware.behavior import Middleware, NextHandler, PipelineBehavior
from app.core.cqrs.policies.authorize import authorize
from app.core.cqrs.policies.cached_query import cached_query
from app.core.cqrs.policies.idempotent import idempotent
from app.core.cqrs.policies.invalidates import invalidates, mark_stale
from app.core.cqrs.policies.retry_on_failure import retry_on_failure
from app.core.cqrs.policies.transactional import transactional
from app.core.cqrs.policies.validate_input import validate_input
from app.core.cqrs.ports import (
    AccessPolicy,
    Cache,
    CacheEntry,
    Claim,
    Clock,
    ErrorReports,
    Grants,
    Resolver,
    Scope,
    UnitOfWork,
    UnitsOfWork,
)
from app.core.cqrs.process_bus import get_cqrs_bus, initialize_cqrs_bus, shutdown_cqrs_bus, use_cqrs_bus
from app.core.cqrs.registry import command_handler, event_handler, query_handler
from app.core.cqrs.results import CacheInfo, CommandResult, OperationResult, Pagination, QueryResult
from app.core.cqrs.savepoint import savepoint
from app.core.cqrs.status import OperationStatus
from app.core.cqrs.tags import declare_tags

__all__ = [
    "AccessPolicy",
    "AggregateRoot",
    "AuthenticationError",
    "AuthorizationError",
    "BadRequestError",
    "BaseCommandHandler",
    "BaseEventHandler",
    "BaseQueryHandler",
    "BusinessRuleViolationError",
    "CQRSBus",
    "CQRSError",
    "Cache",
    "CacheEntry",
    "CacheInfo",
    "CircularEventsError",
    "Claim",
    "Clock",
    "CommandHandlerNotFoundError",
    "CommandResult",
    "CommandValidationError",
    "ConcurrencyError",
    "ConfigurationError",
    "ConflictError",
    "DiscoveryError",
    "DomainEvent",
    "DuplicateHandlerError",
    "ErrorReports",
    "EventRecord",
    "EventSourcedAggregate",
    "Grants",
    "HandlerNotFoundError",
    "HandlerTimeoutError",
    "ICommand",
    "IQuery",
    "Middleware",
    "NextHandler",
    "OperationMetadata",
    "OperationResult",
    "OperationStatus",
    "Pagination",
    "PipelineBehavior",
    "PolicyError",
    "QueryHandlerNotFoundError",
    "QueryResult",
    "QueryValidationError",
    "RaisedEvent",
    "RateLimitedError",
    "Resolver",
    "ResourceNotFoundError",
    "Scope",
    "ServiceUnavailableError",
    "TransientError",
    "UnitOfWork",
    "UnitsOfWork",
    "UnstorableError",
    "ValidationError",
    "authorize",
    "background",
    "cached_query",
    "command_handler",
    "declare_tags",
    "event_handler",
    "get_cqrs_bus",
    "idempotent",
    "initialize_cqrs_bus",
    "invalidates",
    "mark_stale",
    "query_handler",
    "retry_on_failure",
    "savepoint",
    "shutdown_cqrs_bus",
    "transactional",
    "use_cqrs_bus",
    "validate_input",
]
