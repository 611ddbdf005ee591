"""What runs inside a worker process: traced operations, gate and control thread; and the launcher."""
