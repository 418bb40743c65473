"""Who uses an instance, and which of its records are theirs. What a person may not see is never fetched."""
