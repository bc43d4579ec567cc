import unittest

from server import greeting


class Greeting(unittest.TestCase):
    def test_a_visitor_is_greeted_by_name(self):
        assert greeting("Ada") == "Hello, Ada!\n"

    def test_a_visitor_without_a_name_is_greeted(self):
        assert greeting("") == "Hello, world!\n"


if __name__ == "__main__":
    unittest.main()
