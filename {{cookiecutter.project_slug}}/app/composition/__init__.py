"""Assembles the service and delivers events to their handlers. Only entry points and the API import it.

container     the composition root: settings, adapters, scopes, the bus
wiring        the dependency injection container
doors         logs at startup which handlers are open to everybody
delivery      assembles the delivery of events: outbox, relay, broker, consumer
relay         claims the events of the outbox, and stores the outcomes of their delivery
deliveries    passes claimed events to their handlers
pace, outages how many events are claimed ahead; pauses while a receiver is down
consumer      stores the events of other services, for their handlers
cloud_events  the wire format of events between services, and its attributes
"""
