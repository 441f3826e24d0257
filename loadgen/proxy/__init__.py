"""A wire between two programs that can be delayed, cut, silenced and made to lose one answer."""
