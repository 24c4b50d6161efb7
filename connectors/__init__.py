"""Source connectors: bytes of a source in, envelopes and standardised events out."""
