"""``python -m scp`` is ``hounsfield``."""

from scp.cli import main

if __name__ == "__main__":
    main()
