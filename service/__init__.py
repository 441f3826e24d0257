"""The HTTP service: carries requests to the SQL functions."""
