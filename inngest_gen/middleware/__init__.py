"""Middleware: hooks around requests, runs, steps, events and defers; the chain that calls them; the built-in ones."""
