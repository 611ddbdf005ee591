"""The ordinary (anonymous) pipe."""
