"""Sockets: TCP, UDP and multicast on loopback, UNIX-domain sockets, and a server with several clients."""
