"""From the first start to a message that is read and saved, on the page of a real ``run`` beside a real POP3 server."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.integration.test_web import PASSWORD, event, running
from tests.servers.pop3 import Maildrop, Pop3Server
from tests.unit.jobs.web.mail import letter

LETTER = letter("the first five minutes", '<p>laid out</p><img src="https://evil.test/x"><script>pwned(1)</script>')


def test_mail_that_arrives_is_found_read_and_saved_and_programs_get_the_same(tmp_path: Path) -> None:
    with Pop3Server(Maildrop([LETTER])) as server, running(tmp_path, server) as (manager, browser):
        token = event(manager, "web.setup")["token"]
        welcome = browser.follow(browser.get("/"))
        assert browser.send(welcome.form("/setup"), token=token, name="Ann", password=PASSWORD).status == 303
        manager.wait_for(lambda: "worker.run.finished" in manager.log)

        # Who indexes what the run has stored may be at it still; the page says so, and shows what there is.
        manager.wait_for(lambda: "1 message found." in browser.get("/search?q=minutes").text)
        address = re.search(r'href="(/messages/[0-9a-f]+)"', browser.get("/search?q=minutes").text)
        assert address is not None
        page = browser.get(address[1])
        assert "as text, and enough of it" in page.text
        assert "proven equal" in page.text
        frame = re.search(r'<iframe [^>]*src="([^"]+)"', page.text)
        assert frame is not None
        layout = browser.get(frame[1])
        assert "<p>laid out</p>" in layout.text
        assert "evil.test" not in layout.text
        assert browser.get(f"{address[1]}/raw").body == LETTER

        made = browser.send(browser.get("/tokens").form("/tokens"), name="a program", scope="admin")
        found = re.search(r"<pre>(mf_[\w-]+)</pre>", browser.follow(made).text)
        assert found is not None
        bearer = {"Authorization": f"Bearer {found[1]}"}
        [hit] = json.loads(browser.get("/api/v1/search?q=minutes", bearer).body)["hits"]
        assert address[1].endswith(hit["id"])
        assert browser.get(f"/api/v1/messages/{hit['id']}/raw", bearer).body == LETTER
        [account] = json.loads(browser.get("/api/v1/accounts", bearer).body)["accounts"]
        assert (account["name"], account["safe"] + account["deleted"]) == ("alice", 1)
        assert found[1] not in manager.log
