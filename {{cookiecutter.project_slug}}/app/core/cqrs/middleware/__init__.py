"""What stands around every message. Each is any `async (operation, next_handler)`, or a `PipelineBehavior`."""
