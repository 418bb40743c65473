"""The servers of `whole_product`."""

from whole_product import allowed, url

__all__ = ["allowed", "url"]
