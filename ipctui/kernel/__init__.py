"""What Linux says of a process or an object: frozen facts read from /proc, ioctl, fcntl and a few calls."""
