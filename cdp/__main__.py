"""`python -m cdp` is `cdp`."""

from cdp.cli.main import main

if __name__ == "__main__":
    main()
