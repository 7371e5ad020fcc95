"""How good generators become in a given time, or from few images: see `quality/command.py`, and `--help`.

Without arguments it says what it would do, for that takes hours.
"""

import sys

from quality.command import main  # the folder beside this file, which Python prefers to the file itself

if __name__ == "__main__":
    sys.exit(main())
