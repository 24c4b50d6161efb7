"""The command line: thin commands over the stages, each imported only when it is called."""
