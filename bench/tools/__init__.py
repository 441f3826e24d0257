"""What measurements are made with: servers, services, load."""
