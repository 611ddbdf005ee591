"""Four ways to wait for messages, synchronous and asynchronous, blocking and non-blocking; and notice by signal."""
