"""One file per decorator: what it records, how it acts, and what it refuses."""
