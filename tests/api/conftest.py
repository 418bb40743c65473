"""The servers of `whole_product`."""

from whole_product import allowed, client, product, serve, url

__all__ = ["allowed", "client", "product", "serve", "url"]
