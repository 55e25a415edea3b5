"""What stands around every message. Each is any `async (operation, next_handler)`, or a
`PipelineBehavior`; tracing is a step of its own, because it is around reactions too."""
