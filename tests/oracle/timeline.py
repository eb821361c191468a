"""A second opinion on the timeline: which notices a policy asks for, from a list of events.

Written from the words of the design's section 4 alone. It steps from one happening to the next
and asks every clock anew what comes first: slow, and hard to get wrong. A policy is a dict
shaped like the file; an event is a dict of kind, at and perhaps stage, due, voids, id.

Readings (where the words leave a choice; those of counting.py hold too):
 T1  At one instant: recorded events in order of id, then reminders, all breaches, escalations
     (in the order of the policy), overdue, quiet. What an earlier one of them ends does not
     speak any more: a repeat at the instant of an escalation is dropped, a breach is not.
 T2  Of two escalations at one instant from one stage only the first moves it. An overall one at
     the same instant moves it further.
 T3  When an escalation moves the stage, what has run out there keeps no repeats, but is cleared
     by one of its `ends` or by the end of the challenge, whatever stage follows. Without `ends`
     (the shorthand) only resolved, withdrawn and closed clear it. What has not run out ends
     without a word. A recorded `stage` or `reopened` ends all of the stage without a word, also
     what has run out: later events clear nothing of it.
 T4  resolved, withdrawn and closed end every obligation except those whose `starts` is one of
     the three; these end only by their own `ends` (so the example's feedback names "closed").
 T5  After `resolved` recorded events still start obligations and enter stages, and whoever enters
     a stage has taken the challenge up again; a stage entered by an escalation before that
     starts no clock. After `closed` or `withdrawn` only obligations that start from these start,
     and `stage` enters nothing, until `reopened`.
 T6  An event ends before it starts. "Running", for a second start: until it is ended, breached
     or not.
 T7  A first visit replays the earlier events, ends as well as starts, for each obligation. What
     is still unanswered runs from its real start: past reminders and repeats are left out
     (repeats keep their number), a past breach is emitted at the entry.
 T8  A breach that comes to lie in the past because `resumed` cut a pause short is emitted at that
     event. Reminders and repeats that do are left out (until a later pause moves them again).
 T9  "as agreed" without a date has no due: it is no running clock, and its repeats run from the
     start, like those of an obligation without limit. protect_by does not cap it.
 T10 A mute holds from the acknowledgement up to, not including, its end, which is settled at the
     acknowledgement with the pauses known then. What is muted is not caught up, not even when
     a pause moves it.
 T11 occurrence is 1 but for overdue (the number of the repeat) and quiet.
 T12 risk and quiet carry the stage in effect (null before any) and no obligation; cleared
     carries the stage and obligation of the clock.
 T13 provisional: `at`, or the due that it hangs on, is past the list. RFC 3339 times carry
     the offset of the policy's calendar.
 T14 An overall obligation without owner has that of the stage in effect at the entry.
 T15 Quiet distances skip paused days and stretches, as repeats do.
 T16 An escalation to the stage already in effect changes nothing and tells nobody.
 T17 `raised` enters the first stage unless a `stage` event at its instant names another; a
     second `raised` is an event like any other. Nothing speaks before it: overall clocks from
     earlier events then behave as on a first visit (T7), and what ended before it ends nothing.
     A `stage` or `reopened` that comes before any `raised` stands for it: the safe side.
 T18 An overall obligation that escalates is not ended by the move: its repeats go on.
 T19 An unknown urgency gets, for each obligation, the limit that falls due first from its start.
 T20 A pause whose end is not after its start is no pause. `resumed` at its end changes nothing.
"""

from datetime import datetime

import counting

TERMINAL = ("resolved", "withdrawn", "closed")
ORDER = ["risk", "inform", "cleared", "reminder", "breach", "escalation", "overdue", "quiet"]


def as_list(value):
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def settle(events):
    """Takes back what was voided, and puts the rest in order of time, then of id."""
    known = {}
    for number, event in enumerate(events, 1):
        event = dict(event)
        event.setdefault("id", number)
        known[event["id"]] = event
    alive = {n: True for n in known}
    # From the last to the first: what takes back may itself be taken back by a later one.
    for number in sorted(known, reverse=True):
        target = known[number].get("voids")
        if alive[number] and target is not None and target in known and target < number:
            alive[target] = False
    result = []
    for number, event in known.items():
        if not alive[number] or event["kind"] == "voided":
            continue
        place, seen = event, number
        while place.get("voids") in known and place["voids"] < seen:
            seen = place["voids"]
            place = known[seen]
        result.append({**event, "id": seen})
    return sorted(result, key=lambda e: (e["at"], e["id"]))


class Obligation:
    def __init__(self, group, stage, shorthand_id=None):
        self.id = shorthand_id or group["id"]
        self.stage = stage
        self.owner = as_list(group.get("owner"))
        self.starts = "stage" if shorthand_id else group["starts"]
        self.ends = [] if shorthand_id else as_list(group.get("ends"))
        self.limit = group.get("limit")
        self.firm = group.get("firm", True)
        self.remind = as_list(group.get("remind"))
        breach = group.get("breach", {})
        self.escalate_to = breach.get("escalate_to")
        self.tell = as_list(breach.get("tell"))
        repeat = group.get("repeat", {})
        self.every = repeat.get("every")
        self.times = repeat.get("times")


class Clock:
    """One run of an obligation, from one event."""

    def __init__(self, obligation, start, floor, derived, agreed):
        self.ob = obligation
        self.start = start
        self.floor = floor          # nothing of it speaks before: its start or its stage's entry
        self.derived = derived
        self.agreed = agreed
        self.due = None
        self.breached = False
        self.lapsed = False         # its stage was left by its own escalation
        self.done = set()           # reminders that have spoken or were muted
        self.next_repeat = 1
        self.told = []              # of breach, then escalation
        self.told_sent = None       # send_at of the breach
        self.memory = {}            # instants that hold as long as the pauses do


class Timeline:
    def __init__(self, policy, calendar, events, urgency=None, protect_by=None):
        self.policy, self.calendar = policy, calendar
        self.rules = {"first_day": "next", "late_arrival": "same_day", "due": "close",
                      **policy.get("counting", {})}
        urgencies = policy.get("urgencies", ["standard"])
        self.urgency = urgency or urgencies[0]
        self.known_urgency = self.urgency in urgencies
        self.protect_by = protect_by
        self.events = settle(events)
        self.stages = {stage["id"]: stage for stage in policy["stages"]}
        self.first_stage = policy["stages"][0]["id"]
        self.obligations = []       # in the order of the policy: those of stages, then overall
        for stage in policy["stages"]:
            shorthand = ("limit", "remind", "breach", "repeat")
            if any(key in stage for key in shorthand):
                group = {key: stage[key] for key in (*shorthand, "firm") if key in stage}
                self.obligations.append(Obligation(group, stage["id"], stage["id"]))
            for group in stage.get("obligations", ()):
                self.obligations.append(Obligation(group, stage["id"]))
        for group in policy.get("overall", ()):
            self.obligations.append(Obligation(group, None))
        mutes = policy.get("acknowledge", {}).get("mutes")
        self.mutes = counting.parse_limit(mutes) if mutes else None
        quiet = policy.get("quiet", {})
        self.quiet_after = counting.parse_limit(quiet.get("after", "5 working days"))
        self.quiet_to = as_list(quiet.get("tell"))

        self.out = []
        self.now = None
        self.past = []              # events that have happened
        self.stage = None
        self.visited = set()
        self.clocks = []
        self.escalating = []
        self.pauses = []
        self.acknowledged = []
        self.raised = False
        self.resolved_at = None
        self.over = False           # closed or withdrawn
        self.last_event = None
        self.stopped_at = None
        self.quiets = 0

    # -- who ---------------------------------------------------------------------------------

    def expand(self, tokens, owner=()):
        to = []
        for token in tokens:
            if token == "owner":
                names = self.expand(owner)
            elif token.startswith("both."):
                names = ["raising." + token[5:], "receiving." + token[5:]]
            else:
                names = [token]
            to += [name for name in names if name not in to]
        return to

    def stage_owner(self, stage):
        return as_list(self.stages[stage].get("owner")) if stage is not None else []

    def owner(self, ob):
        if ob.owner:
            return ob.owner
        return self.stage_owner(ob.stage if ob.stage is not None else self.stage)

    def entrants(self, stage):
        owner = self.stage_owner(stage)
        return self.expand(["owner"] + as_list(self.stages[stage].get("inform")), owner)

    # -- when --------------------------------------------------------------------------------

    def limit(self, ob):
        limit = ob.limit
        if isinstance(limit, dict):
            if not self.known_urgency:
                return [counting.parse_limit(text) for text in limit.values()]
            limit = limit.get(self.urgency)
        return [counting.parse_limit(limit)]

    def fall_due(self, clock):
        """The due with the pauses known now."""
        answers = [counting.due(limit, self.calendar, self.rules, clock.start, clock.derived,
                                clock.agreed, self.pauses) for limit in self.limit(clock.ob)]
        answers = [answer for answer in answers if answer is not None]
        if not answers:
            return None
        due = min(answers)
        if self.protect_by is not None and clock.start < self.protect_by:
            due = min(due, self.protect_by)
        return due

    def remembered(self, clock, key, call):
        if key not in clock.memory:
            try:
                clock.memory[key] = call()
            except counting.OutOfRange:
                clock.memory[key] = None
        return clock.memory[key]

    def reminder_at(self, clock, text):
        def work():
            if text.endswith("%"):
                return counting.percent(int(text[:-1]), self.calendar, clock.start, clock.due,
                                        self.pauses)
            distance = counting.parse_limit(text.removesuffix(" before"))
            return counting.before(distance, self.calendar, clock.due, self.pauses)
        return self.remembered(clock, text, work)

    def repeat_at(self, clock, k):
        start = clock.start if clock.due is None else clock.due
        every = counting.parse_limit(clock.ob.every)
        return self.remembered(clock, k, lambda: counting.repeat(every, k, self.calendar, start,
                                                                 self.pauses))

    def next_repeat(self, clock):
        """The next repeat that is not past, or None."""
        while self.repeats_left(clock):
            at = self.repeat_at(clock, clock.next_repeat)
            if at is None:
                return None
            if at >= self.now and at >= clock.floor:
                return at
            clock.next_repeat += 1
        return None

    def repeats_left(self, clock):
        ob = clock.ob
        return bool(ob.every) and not clock.lapsed and (clock.breached or clock.due is None) \
            and (not ob.times or clock.next_repeat <= ob.times)

    def running(self):
        return any(not c.lapsed and ((c.due is not None and not c.breached)
                                     or (self.repeats_left(c)
                                         and self.next_repeat(c) is not None))
                   for c in self.clocks)

    def muted(self, at):
        return any(start <= at < end for start, end in self.acknowledged)

    # -- saying it ---------------------------------------------------------------------------

    def emit(self, kind, to, stage, clock=None, step=None, occurrence=1):
        at = self.now
        ob = clock.ob if clock else None
        latest = max(at, clock.due) if clock and clock.due is not None else at
        send_at = at if kind == "risk" else self.calendar.send_at(at)
        self.out.append({
            "at": at, "send_at": send_at, "kind": kind, "stage": stage,
            "obligation": ob.id if ob else None, "step": step, "occurrence": occurrence,
            "to": to, "firm": ob.firm if ob else True,
            "provisional": self.calendar.provisional(latest)})
        return send_at

    # -- clocks ------------------------------------------------------------------------------

    def start(self, ob, at, floor, derived=False, agreed=None):
        if any(c.ob is ob and not c.lapsed for c in self.clocks):
            return
        clock = Clock(ob, at, floor, derived, agreed)
        clock.due = self.fall_due(clock)
        self.clocks.append(clock)

    def answered(self, clock):
        """A recorded event ended it: whoever was told otherwise is told so."""
        self.clocks.remove(clock)
        if clock.told_sent is not None and clock.told_sent < self.now:
            self.emit("cleared", clock.told, clock.ob.stage, clock)

    def enter(self, stage, event=None, by=None):
        """by: the clock whose running out moved the stage; else `event` did."""
        for clock in list(self.clocks):
            if clock.ob.stage is None or clock.lapsed:
                continue
            if by is not None and clock.breached:
                clock.lapsed = True
            else:
                self.clocks.remove(clock)
        first = stage not in self.visited
        self.visited.add(stage)
        self.stage = stage
        to = self.entrants(stage)
        if by is not None:
            self.emit("escalation", to, stage, by)
            by.told += [role for role in to if role not in by.told]
        else:
            self.emit("inform", to, stage)
        for ob in self.obligations:
            if ob.stage != stage or (by is not None and not self.is_open()):
                continue
            if ob.starts == "stage":
                self.start(ob, self.now, self.now, by is not None,
                           event.get("due") if event else None)
            elif first:
                earlier = self.replay(ob)
                if earlier:
                    self.start(ob, earlier["at"], self.now, agreed=earlier.get("due"))

    def take_up(self):
        """It is open from now on, whatever ended it; the first time, overall clocks have earlier starts."""
        self.over, self.resolved_at = False, None
        if self.raised:
            return
        self.raised = True
        for ob in self.obligations:
            earlier = self.replay(ob) if ob.stage is None else None
            if earlier:
                self.start(ob, earlier["at"], self.now, agreed=earlier.get("due"))

    def is_open(self):
        return not self.over and self.resolved_at is None

    def replay(self, ob):
        """The earlier event from which this obligation is still unanswered."""
        since = None
        for event in self.past:
            kind = event["kind"]
            if kind in ob.ends or (kind in TERMINAL and ob.starts not in TERMINAL):
                since = None
            if since is None and kind == ob.starts:
                since = event
        return since

    # -- what happens ------------------------------------------------------------------------

    def happen(self, event):
        kind = event["kind"]
        self.last_event, self.quiets = self.now, 0
        for clock in list(self.clocks):
            if kind in clock.ob.ends or (kind in TERMINAL and clock.ob.starts not in TERMINAL):
                self.answered(clock)
        if kind == "raised" and not self.raised:
            elsewhere = [e for e in self.events if e["kind"] == "stage" and e["at"] == self.now
                         and e.get("stage") in self.stages]
            self.take_up()
            if all(e["stage"] == self.first_stage for e in elsewhere):
                self.enter(self.first_stage, event)
        elif kind == "stage" and event.get("stage") in self.stages:
            if event["stage"] != self.stage and not self.over:
                self.take_up()
                self.enter(event["stage"], event)
        elif kind == "reopened":
            self.take_up()
            self.enter(self.stage or self.first_stage, event)
        elif kind == "resolved":
            self.resolved_at = self.now
        elif kind in ("closed", "withdrawn"):
            self.over = True
        elif kind == "paused":
            end = event.get("due")
            if end is not None and end > self.now:
                self.cut_pause()
                self.pauses.append((self.now, end))
                self.recount()
        elif kind == "resumed":
            self.cut_pause()
            self.recount()
        elif kind == "acknowledged":
            if self.mutes:
                self.acknowledged.append((self.now, counting.due(
                    self.mutes, self.calendar, self.rules, self.now, pauses=self.pauses)))
        elif kind == "immediate_risk":
            tell = as_list(self.policy.get("immediate", {}).get("tell"))
            self.emit("risk", self.expand(tell, self.stage_owner(self.stage)), self.stage)
        for ob in self.obligations:
            if ob.starts == kind and kind != "stage" and ob.stage in (None, self.stage) \
                    and self.raised and (ob.stage is None or self.stage is not None) \
                    and (not self.over or kind in TERMINAL):
                self.start(ob, self.now, self.now, agreed=event.get("due"))
        self.past.append(event)

    def cut_pause(self):
        if self.pauses and self.pauses[-1][1] > self.now:
            start = self.pauses.pop()[0]
            if start < self.now:
                self.pauses.append((start, self.now))

    def recount(self):
        for clock in self.clocks:
            clock.memory = {}
            if not clock.breached:
                clock.due = self.fall_due(clock)

    def breach(self, clock):
        clock.breached = True
        ob = clock.ob
        owner = self.owner(ob)
        clock.told = self.expand(ob.tell or ["owner"], owner)
        clock.told_sent = self.emit("breach", list(clock.told), ob.stage, clock)
        if ob.escalate_to is not None and ob.firm:
            self.escalating.append(clock)

    def escalate(self, clock):
        self.escalating.remove(clock)
        # Its stage may have been left at this very instant by another's escalation.
        if clock in self.clocks and not clock.lapsed and clock.ob.escalate_to != self.stage:
            self.enter(clock.ob.escalate_to, by=clock)

    def remind(self, clock, text):
        clock.done.add(text)
        if not self.muted(self.now):
            to = self.expand(["owner"], self.owner(clock.ob))
            self.emit("reminder", to, clock.ob.stage, clock, text)

    def overdue(self, clock):
        number = clock.next_repeat
        clock.next_repeat += 1
        if not self.muted(self.now):
            to = self.expand(clock.ob.tell or ["owner"], self.owner(clock.ob))
            self.emit("overdue", to, clock.ob.stage, clock, clock.ob.every, number)

    def quiet(self):
        self.quiets += 1
        to = self.expand(self.quiet_to, self.stage_owner(self.stage))
        self.emit("quiet", to, self.stage, occurrence=self.quiets)

    def may_be_quiet(self):
        if not self.raised or self.over or self.running():
            return False
        return self.resolved_at is None or any(not c.lapsed for c in self.clocks)

    def candidates(self):
        """(at, rank, place in the policy, what to do) of all that may come next."""
        if len(self.past) < len(self.events):
            event = self.events[len(self.past)]
            yield event["at"], 0, 0, lambda: self.happen(event)
        if self.now is None:
            return
        for clock in self.escalating:
            yield (self.now, 3, self.obligations.index(clock.ob),
                   lambda c=clock: self.escalate(c))
        for clock in self.clocks:
            place = self.obligations.index(clock.ob)
            if clock.lapsed:
                continue
            if clock.due is not None and not clock.breached:
                at = max(clock.due, clock.floor, self.now)
                yield at, 2, place, lambda c=clock: self.breach(c)
                for text in clock.ob.remind:
                    if text in clock.done:
                        continue
                    at = self.reminder_at(clock, text)
                    if at is not None and max(clock.floor, self.now) <= at < clock.due:
                        yield at, 1, place, lambda c=clock, t=text: self.remind(c, t)
            if self.repeats_left(clock):
                at = self.next_repeat(clock)
                if at is not None:
                    yield at, 4, place, lambda c=clock: self.overdue(c)
        if self.may_be_quiet():
            base = max(t for t in (self.last_event, self.stopped_at) if t is not None)
            at = counting.repeat(self.quiet_after, self.quiets + 1, self.calendar, base,
                                 self.pauses)
            if at >= self.now:
                yield at, 5, 0, self.quiet

    def run(self, until):
        while True:
            best = min(self.candidates(), key=lambda c: c[:3], default=None)
            if best is None or best[0] > until:
                return self.out
            was_running = self.now is not None and self.running()
            self.now = best[0]
            best[3]()
            if was_running and not self.running():
                self.stopped_at = self.now


def timeline(policy, calendar, events, until, urgency=None, protect_by=None):
    """The entries, in order of time, instants as UTC seconds."""
    out = Timeline(policy, calendar, events, urgency, protect_by).run(until)
    return sorted(out, key=lambda e: (e["at"], ORDER.index(e["kind"])))


def rfc3339(calendar, at):
    return datetime.fromtimestamp(at, calendar.zone.info).isoformat()


def printed(entries, calendar):
    """As `challengectl timeline --json` prints them."""
    return [{**e, "at": rfc3339(calendar, e["at"]), "send_at": rfc3339(calendar, e["send_at"])}
            for e in entries]
