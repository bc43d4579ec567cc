"""A local AWS to try and test on without an account: moto's records and APIs, and what is ours on top."""
