"""The programs of remote procedure calls: clients, servers, the link between them, and a matchmaker."""

from ipctui.mechanisms.rpc.client import client, fixed
from ipctui.mechanisms.rpc.link import link, link_tcp
from ipctui.mechanisms.rpc.local import caller
from ipctui.mechanisms.rpc.matchmaker import matchmaker
from ipctui.mechanisms.rpc.server import server

__all__ = ["caller", "client", "fixed", "link", "link_tcp", "matchmaker", "server"]

PARTS = tuple(f"ipctui.mechanisms.rpc.{name}" for name in ("client", "server", "link", "matchmaker", "local"))
"""The modules that the listing shows, one after another."""
