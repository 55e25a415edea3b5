"""What the template costs, each beside its floor: `dispatch`, which has peers too, and `write`."""
