"""`python -m ipctui`."""

import sys

from ipctui.cli import main

if __name__ == "__main__":
    sys.exit(main())
