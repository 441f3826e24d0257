"""Measures payledger beside yardsticks; the figures that count are ratios within one run."""
