"""What the service is about: aggregates, their events and rules, and the ports they need. No framework."""
