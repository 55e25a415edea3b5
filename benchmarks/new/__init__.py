"""How long it takes from `app new` to a test that passes, without an edit."""
