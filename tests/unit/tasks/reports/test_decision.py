"""The page about a decision."""

from html.parser import HTMLParser

from gan.evaluation.gate import Decision
from gan.evaluation.reason import Reason
from tasks.reports.decision import decision_html

HOSTILE = "<script>alert(1)</script>\u202e"


class Seen(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.rows, self.addresses = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        found = dict(attributes)
        self.addresses += [found[key] for key in ("src", "href") if key in found]
        if tag == "tr" and "class" in found:
            self.rows.append(found["class"])


def test_each_reason_is_a_row_and_no_text_becomes_anything_else():
    looks = [Reason(check="kid1k", passed=True, said="lower"), Reason(check="classes", passed=False, said=HOSTILE)]
    text = decision_html(3, "challenger", Decision.of("kid1k", looks))
    seen = Seen()
    seen.feed(text)
    assert seen.rows == ["passed", "refused"]
    assert "script" not in seen.tags
    assert "\u202e" not in text
    assert seen.addresses == ["data:,"], "it is read without a network"
    assert "Version 3 is" in text
