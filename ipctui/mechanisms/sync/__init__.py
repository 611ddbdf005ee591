"""Blocking and non-blocking send and receive, all four combinations side by side, on one carrier at a time."""
