"""Builds and runs a service's image without Docker, as far as its Dockerfile goes: `make image`.

    dockerfile.py  the instructions of a Dockerfile, as many as ours uses
    roots.py       a root folder for each stage, and processes in it
    build.py       carries the instructions out
    __main__.py    builds, migrates, starts, asks the health check, ends

The base image is simulated: its Python is a copy of the one that runs this, and its operating system is the machine's,
read-only. So this shows that the steps work, that what they leave is complete, and that it runs as its user on a root
that is read-only. It does not show that the base image has what the machine has.
"""
