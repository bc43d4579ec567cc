"""What happens, in order: one flow for each phase of a delivery."""
