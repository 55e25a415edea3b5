"""Commands, queries and events on one bus; decorators declare everything around a handler.

What goes in and what comes out:

messages, results    commands and queries, and their outcome
events               domain events, and the aggregates that raise them
errors               how an operation ends: its status, and the tree of errors
handlers             the base classes of handlers, with helpers that create results
decorators           @command_handler, @query_handler, @event_handler
policies/            one decorator each: @transactional, @authorize, @cached_query, ...
middleware           what stands around every message: yours, and that of app/core/observability
ports                what the bus needs from outside, which adapters implement

How a message travels, in reading order:

operation            the operation in progress, and its metadata
plan                 what is known about a handler before a message arrives
pipeline             the fixed order of the steps, compiled once for each message type
dispatch             the entrances: an outermost dispatch with its error boundary, and a nested one
attempt              one attempt: its scope, its unit of work, and what follows its commit
handling             the call of the handler and its hooks
bus                  the bus itself, and the bus of the process

What it stands on:

registry, checks     what is registered on a bus, and what is refused there
reactions            the path of an event: publication, delivery in memory, the pipelines of its handlers
tasks                background work, and the one error that stands for those of several tasks
serialization        answers as JSON, for the cache and for idempotency keys
testing/             a test kit for handlers: fakes, tracked runs, failing commits, crash points
"""

from app.core.cqrs.bus import CQRSBus, get_cqrs_bus, initialize_cqrs_bus, shutdown_cqrs_bus, use_cqrs_bus
from app.core.cqrs.decorators import command_handler, event_handler, query_handler
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
    OperationStatus,
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
from app.core.cqrs.events import AggregateRoot, DomainEvent, EventRecord, EventSourcedAggregate, RaisedEvent
from app.core.cqrs.handlers import BaseCommandHandler, BaseEventHandler, BaseQueryHandler
from app.core.cqrs.messages import ICommand, IQuery
from app.core.cqrs.middleware import Middleware, NextHandler, PipelineBehavior
from app.core.cqrs.operation import OperationMetadata
from app.core.cqrs.policies.authorize import authorize
from app.core.cqrs.policies.cached_query import cached_query
from app.core.cqrs.policies.idempotent import idempotent
from app.core.cqrs.policies.invalidates import declare_tags, invalidates, mark_stale
from app.core.cqrs.policies.retry_on_failure import retry_on_failure
from app.core.cqrs.policies.transactional import savepoint, transactional
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
from app.core.cqrs.results import CacheInfo, CommandResult, OperationResult, Pagination, QueryResult
from app.core.cqrs.tasks import background

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
