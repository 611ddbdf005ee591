"""The vocabulary and the wire: records, the shared-memory ring, the clock, the recording's format."""
