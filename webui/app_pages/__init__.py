"""The pages, one file each. Streamlit keeps the name `pages` beside `app.py` for an older way of its own to find them, and
would answer the first visit of `/knowledge` with "Page not found".
"""
