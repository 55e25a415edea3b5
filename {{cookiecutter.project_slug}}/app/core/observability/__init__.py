"""What the operators see of every operation: logs, metrics, the audit log, traces and error reports.

All are middleware, except tracing, which is a step of the pipeline, because it covers reactions too.
"""
