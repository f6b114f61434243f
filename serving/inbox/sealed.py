"""Encrypts the values of unmapped properties: a CRM sends more than was asked for, such as telephone numbers and notes.

Such a value is useful only where the source has a custom column of the property's name, which the API cannot know. So
it is stored encrypted (Fernet: AES-128-CBC with HMAC-SHA-256) with a key derived from the home's pepper, and decrypted
when a score reads it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from serving.keys.service import read_pepper

PREFIX = "sealed:1:"


class Seal:
    """Encrypts and decrypts texts. Safe to share between threads."""

    def __init__(self, pepper: bytes) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(hmac.digest(pepper, b"inbox", hashlib.sha256)))

    @classmethod
    def of(cls, home: Path) -> Seal:
        return cls(read_pepper(home))

    def close(self, text: str) -> str:
        """The text, unreadable without the pepper.

        >>> seal = Seal(b"a pepper")
        >>> seal.open(seal.close("+49 30 1234")), "1234" in seal.close("+49 30 1234")
        ('+49 30 1234', False)
        """
        return PREFIX + self._fernet.encrypt(text.encode("utf-8", "surrogatepass")).decode()

    def open(self, text: str) -> str:
        """The plain text of a sealed one; any other text unchanged. Raises `ValueError` for one that was sealed with
        another pepper."""
        if not text.startswith(PREFIX):
            return text
        try:
            return self._fernet.decrypt(text.removeprefix(PREFIX)).decode("utf-8", "surrogatepass")
        except InvalidToken:
            raise ValueError("it was sealed under another pepper: give the API and the worker the same") from None
