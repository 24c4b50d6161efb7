"""The server of `cdp serve`: who may ask, which release answers, what is kept of it.

:mod:`warehouse.serve.app` puts together the API (:mod:`warehouse.api`) and the pages (:mod:`warehouse.pages`).
"""
