"""Fingerprints (being written)."""

import hashlib


def fingerprint(function):
    return {function.__qualname__: hashlib.sha256(function.__code__.co_code).hexdigest()[:16]}
