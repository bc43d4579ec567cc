"""What holds for every test: made-up examples have no deadline, because a test asserts no time."""

from hypothesis import settings

settings.register_profile("headway", max_examples=50, deadline=None, database=None, print_blob=True)
settings.load_profile("headway")
