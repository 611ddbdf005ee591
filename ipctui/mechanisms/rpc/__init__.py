"""Remote procedure calls: ONC RPC over UDP and TCP, a matchmaker, and four semantics on a lossy road."""
