"""The servers of `whole_product`."""

from whole_product import allowed, client, serve, url

__all__ = ["allowed", "client", "serve", "url"]
