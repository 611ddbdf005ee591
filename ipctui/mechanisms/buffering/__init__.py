"""Buffering: zero capacity, bounded and unbounded, side by side under producers of one speed (programs of `sync`)."""
