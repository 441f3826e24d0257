"""Passwords that are quick to check: 4096 rounds are half of what a connection costs a client."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os


def verifier(password: str) -> str:
    """What PostgreSQL keeps of a password for SCRAM-SHA-256, after one round; RFC 5803."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 1)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    salt_, stored, server = (
        base64.b64encode(part).decode() for part in (salt, stored_key, server_key)
    )
    return f"SCRAM-SHA-256$1:{salt_}${stored}:{server}"
