"""Serving: builds releases from events and identity, publishes them, and reads them."""
