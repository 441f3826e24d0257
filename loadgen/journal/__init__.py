"""The durable history: what was sent is on disk before it is sent."""
