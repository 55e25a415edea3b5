"""What the template costs, each beside its floor: `dispatch`, which has peers too, and over HTTP `write` and `read`."""
