"""cdp: the kernel that every stage shares (identifiers, schemas, settings, lake, ledger)."""
