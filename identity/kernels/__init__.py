"""Compiled loops over flat arrays, one self-contained file per subject.

Every file has a ``warm`` that calls each of its kernels once with the types used in production, so that
set-up pays for the compilation and no user's run does.
"""
