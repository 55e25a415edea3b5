"""Assembles the service and delivers events to their handlers. Only entry points and the API import it.

container     the composition root: settings, adapters, scopes, the bus
doors         logs at startup which handlers are open to everybody
delivery      assembles the delivery of events: outbox, relay, broker, consumer
relay         delivers the events of the outbox to their handlers
consumer      stores the events of other services, for their handlers
cloud_events  the wire format of events between services
"""
