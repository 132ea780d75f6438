# What the clients in Python have in common: lines of JSON, the end of stdin as the order to stop, and WHIP's requests.
import json
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request


def say(**what):
    print(json.dumps({key: value for key, value in what.items() if value is not None}), flush=True)


def fail(why):
    say(**{"is": "failed", "why": str(why)})
    sys.exit(1)


def missing(why):
    say(**{"is": "missing", "why": str(why)})
    sys.exit(1)


def when_told_to_stop(stop):
    """Calls stop, in a thread of its own, when stdin ends: whoever started us wants the end, or is gone."""

    def wait():
        sys.stdin.read()
        stop()

    threading.Thread(target=wait, daemon=True).start()


class Session:
    """One WHIP or WHEP session. Raises ValueError with the status and the body of anything but a 201."""

    def __init__(self, url, offer, token=None):
        self._authorization = {"Authorization": "Bearer " + token} if token else {}
        headers = {"Content-Type": "application/sdp", **self._authorization}
        request = urllib.request.Request(url, offer.encode(), headers)
        try:
            response = urllib.request.urlopen(request, timeout=20)
        except urllib.error.HTTPError as error:
            raise ValueError(f"{error.code}: {error.read().decode()}") from error
        self.answer = response.read().decode()
        self._location = urllib.parse.urljoin(url, response.headers["Location"])

    def end(self):
        request = urllib.request.Request(self._location, method="DELETE", headers=self._authorization)
        urllib.request.urlopen(request, timeout=20).close()
