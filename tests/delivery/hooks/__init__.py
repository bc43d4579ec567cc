"""What arrives from elsewhere."""
