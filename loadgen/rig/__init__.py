"""A payledger of real programs on this machine, made to be broken."""
