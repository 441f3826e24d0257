"""The commands of `payledger`, a module each."""
