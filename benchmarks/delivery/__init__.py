"""How many events a second reach their reactions in the process that raised them."""
