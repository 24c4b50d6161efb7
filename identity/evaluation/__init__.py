"""How good the clusters are: accuracy by a truth, signs without one, errors worth reading, the model report."""
