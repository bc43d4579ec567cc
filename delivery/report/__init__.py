"""What a delivery leaves for people to read."""
