"""One among all processes reads the change feed and tells the others."""
