"""A laboratory of inter-process communication in a terminal."""

__version__ = "0.1.0"
