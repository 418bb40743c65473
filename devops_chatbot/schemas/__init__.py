"""What crosses HTTP, and below which path: the native API. `/v1` is left to the OpenAI protocol."""

NATIVE = "/api/v1"
