"""Measurements of the product beside a named reference, taken in the same run.

`python -m benchmarks --data DIR` runs all.
"""
