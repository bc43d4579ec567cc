"""What scanners found in an image, whichever they were, and whether the policy allows it."""
