"""Mach: tasks, ports and rights, played by SEQPACKET pairs whose descriptors are the rights."""
