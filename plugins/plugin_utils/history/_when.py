# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""When a user means: `03:00`, `2h`, `2026-11-29T03:00`, with or without a zone. Pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

RULE = "a time such as 03:00, 2026-11-29T03:00 or 2026-11-29T03:00Z, or how long ago, such as 90s, 30m, 2h or 3d"
LONGEST = timedelta(days=3660)

_AGO = re.compile(r"(\d{1,7})\s*([smhd])(?:\s*ago)?\Z")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class NoTime(ValueError):
    """A text means no time."""


def moment(text: object, now: datetime) -> datetime:
    """The latest such time that isn't after now. Without a zone it's that of `now`."""
    given = str(text).strip()
    ago, clock = _AGO.match(given), _CLOCK.match(given)
    try:
        if ago:
            found = now - min(timedelta(seconds=int(ago.group(1)) * _SECONDS[ago.group(2)]), LONGEST)
        elif clock:
            found = _on_day(now, clock)
        elif given == "now":
            found = now
        else:
            found = _written(given, now.tzinfo)
    except (ValueError, OverflowError):
        raise NoTime("%s is no time: write %s" % (given[:60] or "nothing", RULE)) from None
    return found


def window(since: object, until: object, now: datetime) -> tuple[list[datetime], list[str]]:
    """Both moments, or everything that is wrong with them."""
    moments: list[datetime] = []
    wrong: list[str] = []
    for name, text in (("since", since), ("until", until)):
        try:
            moments.append(moment(text, now))
        except NoTime as error:
            wrong.append("%s: %s" % (name, error))
    if not wrong and moments[0] >= moments[1]:
        wrong.append("since: %s isn't before until, which is %s; name an earlier time" % (since, until))
    return moments, wrong


def _on_day(now: datetime, clock: re.Match[str]) -> datetime:
    hour, minute, second = (int(part or 0) for part in clock.groups())
    found = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
    return found if found <= now else found - timedelta(days=1)


def _written(text: str, zone: tzinfo | None) -> datetime:
    # Python 3.10 knows no Z.
    text = text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=zone)
