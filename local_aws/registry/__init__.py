"""The images of ECR: Docker's own protocol in front of a registry that keeps the bytes."""
