"""The scenarios that come with the product, a YAML file each."""

from pathlib import Path

SCENARIOS = Path(__file__).parent
