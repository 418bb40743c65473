"""What a knowledge base holds: its files, adding to them, and trying a search."""
