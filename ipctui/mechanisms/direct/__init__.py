"""Direct communication: send(P, message) and receive(Q, message)."""
