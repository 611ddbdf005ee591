"""Windows ALPC, played by UNIX sockets: a connection port, private pairs, and three ways for messages by size."""
