"""Mappings of aggregates to tables, one module for each. The domain does not know them. Present means active."""
