"""Data representation: one value as machines store it, on the wire, and in XDR."""
