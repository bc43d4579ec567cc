"""Tests of a release: how runners are started, what they report, and what comes of it."""
