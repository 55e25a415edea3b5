"""Adapters of the ports to external systems. One file per port and technology; a URL's scheme selects the file."""
