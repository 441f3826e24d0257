"""What the service counts: in memory that its processes share, told by whichever one is asked."""
