"""What of a database is personal, and what takes its place: rules against columns, without a server."""
