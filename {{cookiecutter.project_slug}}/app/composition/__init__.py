"""Puts the service together, and brings events to their handlers. Entry points and the API use it, and nobody below.

container     the composition root: settings, adapters, scopes, the bus
doors         says at the start which handlers are open to everybody
delivery      puts together who delivers events: outbox, relay, broker, consumer
relay         lets handlers have the events of the outbox
consumer      keeps the events of other services until their handlers have them
cloud_events  public events as other services get them
"""
