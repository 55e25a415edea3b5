"""Which aggregate is made of which rows, one module for each; the domain does not know. Present means active."""
