"""Serving an app to an Inngest server: request values in, reply values out; then ASGI."""
