"""One folder a mechanism: its program, its channel, its pane, its lesson."""
