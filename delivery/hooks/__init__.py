"""What arrives from elsewhere: whether it is genuine, what it says, that it is kept, and what follows from it."""
