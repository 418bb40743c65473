"""What every page is made of: the session, words, links, style, the bridge to the browser, sources and runs."""
