"""Middleware around commands and queries. Each is an `async (operation, next_handler)` callable or a
`PipelineBehavior`; tracing is a pipeline step instead, because it covers reactions too."""
