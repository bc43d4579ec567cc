"""What a place must be able to do, and the values that go in and come out."""
