"""The mailbox: indirect communication through POSIX message queues."""
