"""The engine's SQLite file: its schema, the one thread that writes it, and those that read it."""
