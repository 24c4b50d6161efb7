"""Audiences: who may leave for whom, as hashed lists for advertisers' networks, and over HTTP.

Everything that leaves a release for a purpose asks :mod:`warehouse.audiences.selection` who may.
"""
