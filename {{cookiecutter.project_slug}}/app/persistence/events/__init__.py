"""Events: stored with the state they change, and delivered from there.

event_log, stored_event    the log, and an event as a row of it
event_sourcing             aggregates that are stored only as their events
outbox, outbox_statements  which events wait for which handlers, and which process has claimed them
received_events            stores incoming events of other services, each once
waiting_events             how operators retry or discard failed events, dead letters included: `app outbox`
outbox_statistics          how many events wait, and for how long
listen_notify              notifies other processes of a commit: PostgreSQL's LISTEN and NOTIFY
"""
