"""One gateway method per SQL function."""
