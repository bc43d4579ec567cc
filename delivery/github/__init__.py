"""GitHub: what is told there of a delivery."""
