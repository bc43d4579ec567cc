"""The headway command: prints, asks, exits."""
