"""The HTTP door: one route file a noun, all errors as problem details, long answers as event streams."""
