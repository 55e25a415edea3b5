"""The outside world. One file for each port and what the adapter is made of; a URL's scheme finds its file."""
