"""Recordings and screens turned into files that other programs open."""
