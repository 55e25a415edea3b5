"""The domain: aggregates, their events and rules, and the ports they need. No framework."""
