"""Events: stored with the state they change, and delivered from there.

event_log, stored_event   the log, and an event as a row of it
event_sourcing            aggregates that are kept as their events alone
outbox                    which events wait for which handlers, and who has them now
received_events           the inbox of events of other services
waiting_events            what operators do with events that wait, dead ones included: `app outbox`
outbox_statistics         how many wait, and for how long
listen_notify             tells other processes of a commit: PostgreSQL's LISTEN and NOTIFY
"""
