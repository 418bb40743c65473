"""The sandbox behind sandbox servers elsewhere."""
