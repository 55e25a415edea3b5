"""Assembles the service and delivers events to their handlers. Only entry points and the API import it.

container     the composition root: settings, adapters, scopes, the bus
wiring        the dependency injection container
doors         logs at startup which handlers are open to everybody
delivery      assembles the delivery of events to their handlers
telemetry     opens what watches the service beside its log and its metrics
relay         claims the events of the outbox, and stores the outcomes of their delivery
deliveries    passes claimed events to their handlers
pace, outages how many events are claimed ahead; pauses while a receiver is down
"""
