from tests.orders import cook as cook
