"""Events: stored with the state they change, and delivered from there.

event_log, stored_event    the log, and an event as a row of it
event_sourcing             aggregates that are stored only as their events
fan_out                    inserts a reaction for each handler of each new event
new_events                 queries for the events that may be handed out now
outbox, reaction           which process has claimed which reactions, and the outcome of each
outbox_statements          SQL statements and locks of the outbox
inbox                      which handlers have processed which events
received_events            stores incoming events of other services, each once
waiting_events, purging    how operators list, retry and discard failed events, dead letters included: `app outbox`
batches                    divides what operators change into short transactions
orphans                    finds events whose handler or class is gone
outbox_statistics          how many events wait, and for how long
listen_notify              notifies other processes of a commit: PostgreSQL's LISTEN and NOTIFY
"""
