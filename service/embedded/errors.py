"""The one exception of this package."""


class EmbeddedError(RuntimeError):
    """The embedded server can't do it; the message says why and what to do."""
