"""Which types and values survive being stored as JSON and read again."""
