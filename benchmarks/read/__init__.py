"""What a read of the sample costs over HTTP, each beside an endpoint written by hand: the menu, an order.

__main__.py   what is loaded, and the bars
by_hand.py    the floors: the same reads without the bus
same_bytes.py another floor: FastAPI with nothing but the answer
service.py    the service under load: the whole service as `app run` serves it, with the floors in it
"""
