"""The named pipe (FIFO)."""
