"""Windows pipes: anonymous ones with inheritance stated handle by handle, named ones in byte and message mode."""
