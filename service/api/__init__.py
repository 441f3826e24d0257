"""HTTP: parse, authenticate, call, render."""
