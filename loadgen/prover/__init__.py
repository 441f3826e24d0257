"""`loadgen prove`: load while faults come and go, a durable history, and the checker's verdict."""
