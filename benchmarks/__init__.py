"""What the template costs, each beside its floor and its peers: `dispatch`."""
