"""The sandbox on a Docker engine of this machine."""
