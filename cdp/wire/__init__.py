"""HTTP/1.1 for the commands that listen (`cdp collect`, `cdp serve`): uvicorn, with the limits it leaves open.

Imported by what serves only: uvicorn and httptools are not needed elsewhere.
"""
