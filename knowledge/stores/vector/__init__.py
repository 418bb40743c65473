"""Vectors of chunks, searched by nearness."""
