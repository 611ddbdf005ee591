"""The terminal: the app, its screens, and the table of actions that keys, footer, help and palette come from."""
