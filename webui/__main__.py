"""Runs the pages' server with all that the first page needs imported, so that who opens it does not wait for that."""

import logging
import pkgutil
from importlib import import_module

from streamlit.web import cli

import webui

OF_STREAMLIT = ("numpy", "streamlit.emojis")
"""What Streamlit itself imports when the first page asks for it."""

if __name__ == "__main__":
    # That our cached functions are declared before its runtime is there, which does them no harm.
    logging.getLogger("streamlit.runtime.caching.cache_data_api").addFilter(lambda said: "No runtime" not in said.msg)
    ours = (module.name for module in pkgutil.walk_packages(webui.__path__, "webui."))
    for name in (*OF_STREAMLIT, *ours):
        if name not in ("webui.app", "webui.__main__"):  # the page itself, and this
            import_module(name)
    cli.main(prog_name="streamlit")
