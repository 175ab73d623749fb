"""Realtime spoken conversations with Google's Gemini Live API."""

__version__ = "0.1.0"
