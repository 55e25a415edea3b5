"""Traces and error reports in a hurry, for processes of tests."""

import os

from app.adapters import error_reports_http, traces_http

MOST_WAITING = 10
"""Error reports, before more are thrown away."""


def hurry() -> None:
    """Nobody waits for long."""
    traces_http.WAIT_SECONDS = float(os.environ.get("SPANS_WAIT_SECONDS", "0.05"))
    traces_http.SEND_SECONDS = float(os.environ.get("SPANS_SEND_SECONDS", "0.5"))
    traces_http.LAST_SECONDS = error_reports_http.LAST_SECONDS = float(os.environ.get("LAST_SECONDS", "1"))
    error_reports_http.MOST_WAITING = MOST_WAITING
