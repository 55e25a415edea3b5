"""Repositories, and other classes that handlers need anew for each attempt. Present means active."""
