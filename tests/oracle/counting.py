"""A second opinion on counting: zones, calendars and limits, walked day by day.

Written from the words of the design's section 4 alone and meant to be obviously right rather
than fast; compare_counting.py holds the daemon's own arithmetic against it. Instants are UTC
seconds, days are counted from 1970-01-01, both plain ints; None is "never".

Readings (where the words leave a choice):
 C1  Opening hours are a set of instants: each range runs from the instant of its local start
     to the instant of its local end; what a clock change makes empty is dropped, and what it
     makes overlap counts once. Opening and closing of the day are the first start and last end.
 C2  "Drawn into that day's opening hours": before the opening gives the opening, after the
     closing the closing, within a break the end of the break; the end of a range stays.
 C3  "A late start's own day is never the first" speaks of the day on which the start really
     lay. Where next_working_day moves the start, the day it moves to may be the first.
 C4  `same working day` of a late start is the closing of the working day after it, whatever
     late_arrival says.
 C5  A pause covers [from, to). A day is paused "at its closing" when from <= closing < to.
     Pauses count one after the other, each only if it begins before the instant counted so far.
 C6  For `N hours`, `N days`, `N weeks` only the part of a pause after the start moves the due.
 C7  `N months` keeps the day of the month, or takes the month's last day where it is shorter.
     The kth repeat is counted from the start of all repeats, not from the one before.
 C8  Repeats and "before" (but see C10) skip paused days and stretches as limits do; a repeat
     by days, weeks or months takes the civil day of the moved instant.
 C9  `N%` of the working time, pauses taken out, in whole seconds rounded down; where there is
     no working time at all it is the start.
 C10 "N days/weeks before": that civil day, or the working day before it where it is closed. As
     a date on the wall it does not know of pauses, which moved the due already.
 C11 Pauses overlap nothing: they are given in order and apart.
 C12 Walking back, an amount that is used up exactly at an opening ends there.
 C13 An instant is provisional when its civil day lies after the last day of the last year in
     which the division has an entry.
 C14 "working weeks" before a due, or as the distance of a repeat, are 5 working days each.
"""

import calendar as month_lengths
import json
from datetime import date, datetime, timezone
from zoneinfo import ZoneInfo

EPOCH = date(1970, 1, 1)
EPOCH_ORDINAL = EPOCH.toordinal()
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
LAST_DAY = date(2059, 12, 31).toordinal() - EPOCH_ORDINAL


class OutOfRange(Exception):
    """The count leaves the years that anybody has opening hours for."""


def day_of(text):
    return date.fromisoformat(text).toordinal() - EPOCH_ORDINAL


def date_of(day):
    return date.fromordinal(day + EPOCH_ORDINAL)


class Zone:
    def __init__(self, name):
        self.name = name
        self.info = ZoneInfo(name)

    def offset(self, at):
        shown = datetime.fromtimestamp(at, timezone.utc).astimezone(self.info)
        return int(shown.utcoffset().total_seconds())

    def local(self, at):
        """The civil day and the second of it that clocks show."""
        shown = datetime.fromtimestamp(at, self.info)
        second = shown.hour * 3600 + shown.minute * 60 + shown.second
        return shown.toordinal() - EPOCH_ORDINAL, second

    def instant(self, day, second):
        """In a gap as if the old offset still held, in an overlap the first: fold 0 is both."""
        if second >= 86400:
            day, second = day + 1, second - 86400
        where = date_of(day)
        shown = datetime(where.year, where.month, where.day, second // 3600,
                         second // 60 % 60, second % 60, tzinfo=self.info, fold=0)
        return int(shown.timestamp())


def parse_hours(text):
    """ "09:00-12:30,13:30-16:30" as a list of second pairs; "" is closed. """
    ranges = []
    for part in filter(None, text.split(",")):
        start, end = part.split("-")
        ranges.append(tuple(int(t[:2]) * 3600 + int(t[3:]) * 60 for t in (start, end)))
    return ranges


class Calendar:
    """hours {weekday: text}, holidays the published JSON and a division, closures [(from, to)]."""

    def __init__(self, zone, hours, published=None, division=None, closures=()):
        self.zone = Zone(zone)
        self.week = [parse_hours(hours.get(name, "")) for name in WEEKDAYS]
        self.holidays, self.covered_until = set(), None
        if division:
            dates = [entry["date"] for entry in published[division]["events"]]
            self.holidays = {day_of(text) for text in dates}
            self.covered_until = day_of(max(dates)[:4] + "-12-31")
        self.closures = [(day_of(start), day_of(end)) for start, end in closures]
        self._working = {}
        self._ranges = {}

    def working(self, day):
        if day > LAST_DAY:
            raise OutOfRange(day)
        known = self._working.get(day)
        if known is None:
            known = (bool(self.week[date_of(day).weekday()]) and day not in self.holidays
                     and not any(start <= day <= end for start, end in self.closures))
            self._working[day] = known
        return known

    def ranges(self, day):
        """The stretches of instants at which this day is open, in order and apart."""
        known = self._ranges.get(day)
        if known is None:
            known = []
            if self.working(day):
                for start, end in self.week[date_of(day).weekday()]:
                    start, end = self.zone.instant(day, start), self.zone.instant(day, end)
                    if known and start < known[-1][1]:
                        start = known[-1][1]
                    if start < end:
                        known.append((start, end))
            self._ranges[day] = known
        return known

    def opens(self, day):
        return self.zone.instant(day, self.week[date_of(day).weekday()][0][0])

    def closes(self, day):
        return self.zone.instant(day, self.week[date_of(day).weekday()][-1][1])

    def day(self, at):
        return self.zone.local(at)[0]

    def next_working(self, day):
        """The first working day after this one."""
        day += 1
        while not self.working(day):
            day += 1
        return day

    def working_before(self, day):
        day -= 1
        while not self.working(day):
            if day < 14000:
                raise OutOfRange(day)
            day -= 1
        return day

    def is_open(self, at):
        return any(start <= at < end for start, end in self.ranges(self.day(at)))

    def send_at(self, at):
        """Inside opening hours at once, else the next opening of any kind."""
        day = self.day(at)
        while True:
            for start, end in self.ranges(day):
                if at < end:
                    return max(at, start)
            day += 1

    def provisional(self, at):
        return self.covered_until is not None and self.day(at) > self.covered_until

    def is_late(self, at):
        day = self.day(at)
        return not self.working(day) or at >= self.closes(day)


def without(stretches, pauses):
    """The stretches with the pauses cut out of them."""
    for start, end in stretches:
        for stop, go in pauses:
            if go <= start or stop >= end:
                continue
            if stop > start:
                yield start, stop
            start = go
            if start >= end:
                break
        if start < end:
            yield start, end


def add_open(calendar, start, seconds, pauses=()):
    """Forward through opening time outside pauses; exactly at closing stays there."""
    if seconds == 0:
        return start
    day = calendar.day(start)
    while True:
        for begin, end in without(calendar.ranges(day), pauses):
            begin = max(begin, start)
            if begin >= end:
                continue
            if seconds <= end - begin:
                return begin + seconds
            seconds -= end - begin
        day += 1


def subtract_open(calendar, start, seconds, pauses=()):
    if seconds == 0:
        return start
    day = calendar.day(start)
    while True:
        if day < 14000:
            raise OutOfRange(day)
        for begin, end in reversed(list(without(calendar.ranges(day), pauses))):
            end = min(end, start)
            if begin >= end:
                continue
            if seconds <= end - begin:
                return end - seconds
            seconds -= end - begin
        day -= 1


def open_between(calendar, start, end, pauses=()):
    total = 0
    for day in range(calendar.day(start), calendar.day(end) + 1):
        for begin, stop in without(calendar.ranges(day), pauses):
            total += max(0, min(stop, end) - max(begin, start))
    return total


def moved(base, start, pauses):
    """Move a due by the exact length of each pause that begins before it."""
    for stop, go in pauses:
        if stop < base and go > start:
            base += go - max(stop, start)
    return base


def paused_at(pauses, at):
    return any(stop <= at < go for stop, go in pauses)


def drawn_in(calendar, day, second):
    """A time of day, drawn into the opening hours of a working day."""
    ranges = calendar.week[date_of(day).weekday()]
    for start, end in ranges:
        if second <= end:
            return max(second, start)
    return ranges[-1][1]


def with_pauses(count, pauses):
    """The instant that `count` gives with each pause that begins before what it gave so far."""
    counted = []
    answer = count(counted)
    for pause in pauses:
        if answer is not None and pause[0] < answer:
            counted.append(pause)
            answer = count(counted)
    return answer


def due(limit, calendar, counting, start, derived=False, agreed=None, pauses=()):
    """When (amount, unit) falls due. counting: dict of first_day, late_arrival, due."""
    return with_pauses(lambda counted: due_with(limit, calendar, counting, start, derived, agreed,
                                                counted), pauses)


def repeat(every, k, calendar, start, pauses=()):
    """The kth repeat after `start`."""
    return with_pauses(lambda counted: repeat_with(every, k, calendar, start, counted), pauses)


def due_with(limit, calendar, counting, start, derived, agreed, pauses):
    """The same, all these pauses counting."""
    amount, unit = limit
    if unit == "none":
        return None
    if unit == "as agreed":
        return agreed
    if unit == "hours":
        return moved(start + amount * 3600, start, pauses)
    if unit in ("days", "weeks"):
        day, second = calendar.zone.local(start)
        days = amount * (7 if unit == "weeks" else 1)
        return moved(calendar.zone.instant(day + days, second), start, pauses)
    if unit == "working hours":
        return add_open(calendar, start, amount * 3600, pauses)

    late = calendar.is_late(start)
    zero, second = calendar.zone.local(start)
    own_day_counts = not late
    if unit == "same working day":
        day = zero if own_day_counts else calendar.next_working(zero)
        while paused_at(pauses, calendar.closes(day)):
            day = calendar.next_working(day)
        return calendar.closes(day)

    if late and counting["late_arrival"] == "next_working_day" and not derived:
        zero = calendar.next_working(zero)
        second = calendar.zone.local(calendar.opens(zero))[1]
        own_day_counts = True

    if unit == "end of next working day":
        day = calendar.next_working(zero)
        while paused_at(pauses, calendar.closes(day)):
            day = calendar.next_working(day)
        return calendar.closes(day)

    assert unit in ("working days", "working weeks"), unit
    wanted = amount * (5 if unit == "working weeks" else 1)
    day = zero - 1 if counting["first_day"] == "same" and own_day_counts else zero
    while True:
        day = calendar.next_working(day)
        if not paused_at(pauses, calendar.closes(day)):
            wanted -= 1
        if wanted == 0:
            break
    if counting["due"] == "close":
        return calendar.closes(day)
    return calendar.zone.instant(day, drawn_in(calendar, day, second))


def add_months(day, months):
    where = date_of(day)
    index = where.year * 12 + where.month - 1 + months
    year, month = index // 12, index % 12 + 1
    last = month_lengths.monthrange(year, month)[1]
    return date(year, month, min(where.day, last)).toordinal() - EPOCH_ORDINAL


def repeat_with(every, k, calendar, start, pauses):
    amount, unit = every
    amount *= k
    if unit == "hours":
        return moved(start + amount * 3600, start, pauses)
    if unit == "working hours":
        return add_open(calendar, start, amount * 3600, pauses)
    day, second = calendar.zone.local(start)
    if unit in ("working days", "working weeks"):
        for _ in range(amount * (5 if unit == "working weeks" else 1)):
            day = calendar.next_working(day)
            while paused_at(pauses, calendar.closes(day)):
                day = calendar.next_working(day)
        return calendar.opens(day)
    if unit == "months":
        day = add_months(day, amount)
    else:
        day += amount * {"days": 1, "weeks": 7}[unit]
    if day > LAST_DAY:
        raise OutOfRange(day)
    day = calendar.day(moved(calendar.zone.instant(day, second), start, pauses))
    return calendar.opens(day if calendar.working(day) else calendar.next_working(day))


def before(distance, calendar, end, pauses=()):
    """The instant so long before a due."""
    amount, unit = distance
    if unit == "hours":
        answer = end - amount * 3600
        for stop, go in reversed(pauses):
            if go > answer and stop < end:
                answer -= min(go, end) - stop
        return answer
    if unit == "working hours":
        return subtract_open(calendar, end, amount * 3600, pauses)
    day, _ = calendar.zone.local(end)
    if unit in ("working days", "working weeks"):
        for _ in range(amount * (5 if unit == "working weeks" else 1)):
            day = calendar.working_before(day)
            while paused_at(pauses, calendar.closes(day)):
                day = calendar.working_before(day)
        return calendar.opens(day)
    day -= amount * {"days": 1, "weeks": 7}[unit]
    return calendar.opens(day if calendar.working(day) else calendar.working_before(day))


def percent(share, calendar, start, end, pauses=()):
    total = open_between(calendar, start, end, pauses)
    return add_open(calendar, start, total * share // 100, pauses)


UNITS = ["working days", "working weeks", "working hours", "hours", "days", "weeks", "months"]


def parse_limit(text):
    """ "3 working days" -> (3, "working days"); None or "" -> (0, "none"). """
    if not text or text == "none":
        return 0, "none"
    if text in ("same working day", "end of next working day", "as agreed"):
        return 0, text
    amount, unit = text.split(" ", 1)
    if unit + "s" in UNITS:
        unit += "s"
    assert unit in UNITS, text
    return int(amount), unit


def published_holidays(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)
