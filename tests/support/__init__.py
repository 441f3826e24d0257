"""What the tests share: servers, databases, pgTAP, real lock waits."""
