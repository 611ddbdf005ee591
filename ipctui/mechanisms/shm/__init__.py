"""POSIX shared memory: a segment of memory that several processes have mapped."""
