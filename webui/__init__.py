"""The web pages. Streamlit puts this folder before everything else on Python's path: no folder in it may have the name of
a package beside it.
"""
