"""What runs, which models there are, the sandbox and the settings."""
