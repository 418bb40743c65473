"""The servers of `whole_product`."""

from whole_product import allowed, product, url

__all__ = ["allowed", "product", "url"]
