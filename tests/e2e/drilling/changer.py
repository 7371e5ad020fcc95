"""Changes the champion as its arguments say, one change a line of standard input; the drill kills it now and then.

Each line is `number promote VERSION`, or `number back`; the number names the intent. For each it prints the number and
what came of it: `done` where the history has it, `nothing` where the version was champion already, `refused` where
there was nothing to go back to.
"""

import sys

from gan.errors import InputError
from tasks.champion.changing import Wish, one_decision_at_a_time, promote_whatever, roll_back
from tasks.runtime.settings import Settings


def main() -> None:
    """Work off standard input."""
    settings = Settings()
    for line in sys.stdin:
        number, verb, *version = line.split()
        wish = Wish(f"drill {number}", f"drill-{number}")
        try:
            with one_decision_at_a_time(settings):
                if verb == "promote":
                    history = promote_whatever(settings, int(version[0]), wish)
                else:
                    history = roll_back(settings, None, wish)
        except InputError:
            print(number, "refused", flush=True)  # noqa: T201
            continue
        print(number, "done" if history.by_intent(wish.intent) else "nothing", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
