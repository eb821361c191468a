#!/usr/bin/python3
"""Every kind of rule that published policies hold, as configuration, with the answer counted by hand.

The first class has one test for each row of the list of rule kinds, in its order; the second what policies combine
them to. Monday is 2 March 2026 at 10:00 unless said; working hours are Monday to Friday 09:00-17:00; Easter's holidays
are Friday 3 and Monday 6 April; clocks go forward on Sunday 29 March.
"""

import contextlib
import sqlite3
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from trial import CALENDAR, Trial, local, rows  # noqa: E402

MONDAY = "raised@2026-03-02 10:00"
LAST = '{ id = "last"; title = "Last"; owner = "receiving.senior_manager"; }'


def stage(text, *, id="one", owner="receiving.manager"):
    return f'{{ id = "{id}"; title = "{id}"; owner = "{owner}"; {text} }}'


def stages(*each):
    return "stages = ( " + ", ".join(each) + " );"


def one(limit, more=""):
    """A policy of one stage with that limit."""
    return stages(stage(f"limit = {limit}; {more}"))


class Rules(unittest.TestCase):
    def setUp(self):
        self.trial = Trial(self)

    def rows(self, body, *events, options=(), kinds=None, **more):
        self.trial.policy(body, **more)
        entries = self.trial.timeline(*(events or (MONDAY,)), options=options)
        return rows(entries, kinds) if kinds else rows(entries)

    def due(self, limit, *events, options=(), head=""):
        """When the one obligation of the policy falls due."""
        found = self.rows(one(limit), *events, options=options, kinds=("breach",), head=head)
        return found[0][:16] if found else None


class TheRows(Rules):
    def test_01_n_working_days(self):
        # The day of the start is not counted: Tue 3, Wed 4, Thu 5, at closing.
        self.assertEqual(self.due('"3 working days"'), "2026-03-05 17:00")

    def test_02_n_clock_hours_run_over_the_weekend(self):
        self.assertEqual(self.due('"72 hours"', "raised@2026-03-06 16:00"), "2026-03-09 16:00")

    def test_03_48_hours_are_not_two_working_days(self):
        # From Friday 16:00 the hours end on Sunday, the days on Tuesday.
        self.assertEqual(self.due('"48 hours"', "raised@2026-03-06 16:00"), "2026-03-08 16:00")
        self.assertEqual(self.due('"2 working days"', "raised@2026-03-06 16:00"), "2026-03-10 17:00")

    def test_04_a_working_week_is_five_working_days_and_said_so(self):
        self.assertEqual(self.due('"1 working week"'), "2026-03-09 17:00")
        self.assertIn("1 working week (5 working days)", self.trial.run("check").stdout)

    def test_05_same_working_day(self):
        self.assertEqual(self.due('"same working day"'), "2026-03-02 17:00")
        # At 18:00 that day has closed: the next working day's closing.
        self.assertEqual(self.due('"same working day"', "raised@2026-03-02 18:00"), "2026-03-03 17:00")

    def test_06_without_a_number_it_reminds_and_nobody_is_late(self):
        body = stages(stage('repeat = { every = "2 working days"; times = 2; };'))
        # No limit: the repeats run from the start, at the opening of the 2nd and 4th working day after it.
        self.assertEqual(self.rows(body), ["2026-03-04 09:00 overdue one/one", "2026-03-06 09:00 overdue one/one"])

    def test_07_the_lesser_of_the_limit_and_a_protective_date(self):
        earlier = ("--protect-by", "2026-03-04 12:00")
        later = ("--protect-by", "2026-03-20 12:00")
        self.assertEqual(self.due('"5 working days"', options=earlier), "2026-03-04 12:00")
        self.assertEqual(self.due('"5 working days"', options=later), "2026-03-09 17:00")

    def test_08_several_clocks_in_one_stage_with_owners_of_their_own(self):
        body = stages(stage('''obligations = (
            { id = "reply"; starts = "stage"; ends = [ "responded" ]; limit = "2 working days"; },
            { id = "record"; owner = "raising.manager"; starts = "raised"; ends = [ "acknowledged" ];
              limit = "1 working day"; } );'''))
        self.trial.policy(body)
        breaches = [e for e in self.trial.timeline(MONDAY) if e["kind"] == "breach"]
        self.assertEqual([(local(e), e["obligation"], e["to"]) for e in breaches],
                         [("2026-03-03 17:00", "record", ["raising.manager"]),
                          ("2026-03-04 17:00", "reply", ["receiving.manager"])])

    def test_09_a_further_n_counts_from_an_event(self):
        body = stages(stage('''obligations = (
            { id = "talk"; starts = "stage"; ends = [ "discussed" ]; limit = "1 working day"; },
            { id = "further"; starts = "discussed"; ends = [ "agreed" ]; limit = "3 working days"; } );'''))
        # Discussed on Tuesday in time: a further three days are Wed 4, Thu 5, Fri 6.
        self.assertEqual(self.rows(body, MONDAY, "discussed@2026-03-03 11:00"),
                         ["2026-03-06 17:00 breach one/further"])

    def test_10_raising_late_is_told_and_escalates_nothing(self):
        body = stages(stage('''obligations = (
            { id = "raise"; owner = "raising.practitioner"; starts = "decision_received"; ends = [ "raised" ];
              limit = "2 working days"; firm = false; breach = { tell = [ "partnership.business_unit" ]; }; } );'''))
        # Decided on Mon 23 February: the limit ended on Wed 25, before there was a challenge. Nothing is told of
        # that, and no stage moves; how late people raise is for reports.
        found = self.rows(body, "decision_received@2026-02-23 10:00", MONDAY, kinds=("inform", "breach", "escalation"))
        self.assertEqual(found, ["2026-03-02 10:00 inform one/-"])
        # Raised within it, the clock ends there too.
        self.assertEqual(self.rows(body, "decision_received@2026-02-27 10:00", MONDAY), [])

    def test_11_the_outcome_chooses_what_comes_next(self):
        body = stages(stage('''obligations = (
            { id = "confirm"; starts = "agreed"; ends = [ "outcome_shared" ]; limit = "1 working day"; },
            { id = "meeting"; starts = "not_agreed"; ends = [ "meeting_held" ]; limit = "5 working days"; } );'''))
        self.assertEqual(self.rows(body, MONDAY, "agreed@2026-03-03 10:00"), ["2026-03-04 17:00 breach one/confirm"])
        self.assertEqual(self.rows(body, MONDAY, "not_agreed@2026-03-03 10:00"),
                         ["2026-03-10 17:00 breach one/meeting"])

    def test_12_where_possible_tells_and_does_not_move(self):
        soft = stages(stage('limit = "2 working days"; firm = false; breach = { tell = [ "owner" ]; };'), LAST)
        self.trial.policy(soft)
        (breach,) = [e for e in self.trial.timeline(MONDAY) if e["kind"] in ("breach", "escalation")]
        self.assertEqual((breach["kind"], breach["firm"]), ("breach", False))

    def test_13_no_answer_in_time_is_itself_the_trigger(self):
        body = stages(stage('limit = "2 working days"; breach = { escalate_to = "last"; };'), LAST)
        self.trial.policy(body)
        entries = self.trial.timeline(MONDAY)
        self.assertEqual(rows(entries), ["2026-03-04 17:00 breach one/one", "2026-03-04 17:00 escalation last/one"])
        self.assertEqual([e["to"] for e in entries if e["kind"] == "escalation"], [["receiving.senior_manager"]])

    def test_14_limits_by_urgency_and_the_shortest_for_an_unknown_one(self):
        limit = '{ standard = "5 working days"; urgent = "1 working day"; }'
        head = 'urgencies = [ "standard", "urgent" ];'
        self.assertEqual(self.due(limit, head=head), "2026-03-09 17:00")
        self.assertEqual(self.due(limit, options=("--urgency", "urgent"), head=head), "2026-03-03 17:00")
        ran = self.trial.run("timeline", "--policy", "trial", "--event", MONDAY, "--urgency", "grave", "--json")
        self.assertIn('knows no urgency "grave"', ran.stderr)
        self.assertIn('"2026-03-03T17:00:00+00:00"', ran.stdout)

    def test_15_a_jump_to_any_stage_counts_from_its_own_time(self):
        body = stages(stage('limit = "5 working days";'), stage('limit = "5 working days";', id="two"),
                      stage('limit = "2 working days";', id="three"))
        self.assertEqual(self.rows(body, MONDAY, "stage:three@2026-03-03 12:00"), ["2026-03-05 17:00 breach three/three"])

    def test_16_a_total_cap_survives_the_stages(self):
        body = stages(stage('limit = "5 working days"; breach = { escalate_to = "last"; };'), LAST) + '''
            overall = ( { id = "cap"; starts = "raised"; ends = [ "resolved" ]; limit = "20 working days";
                          breach = { tell = [ "partnership.chair" ]; }; } );'''
        # 20 working days after Mon 2 March: Mon 30 March, counted from the raising whatever the stage.
        self.assertEqual(self.rows(body), ["2026-03-09 17:00 breach one/one", "2026-03-09 17:00 escalation last/one",
                                           "2026-03-30 17:00 breach -/cap"])

    def test_17_immediate_risk_goes_at_once_at_any_hour(self):
        self.trial.policy(one('"5 working days"'))
        (risk,) = [e for e in self.trial.timeline(MONDAY, "immediate_risk@2026-03-07 02:30") if e["kind"] == "risk"]
        self.assertEqual((local(risk), local(risk, "send_at")), ("2026-03-07 02:30", "2026-03-07 02:30"))
        self.assertEqual(risk["to"], ["raising.designated_lead", "receiving.designated_lead"])

    def test_18_monthly_without_a_deadline(self):
        body = stages(stage('repeat = { every = "1 month"; };'))
        # 2 April is a Thursday; 2 May a Saturday and 4 May a holiday, so Tuesday 5; 2 June a Tuesday.
        self.assertEqual(self.rows(body, options=("--until", "2026-06-03")),
                         ["2026-04-02 09:00 overdue one/one", "2026-05-05 09:00 overdue one/one",
                          "2026-06-02 09:00 overdue one/one"])

    def test_19_feedback_has_a_clock_after_resolved(self):
        body = one('"5 working days"') + '''overall = ( { id = "feedback"; owner = "receiving.manager";
            starts = "resolved"; ends = [ "outcome_shared", "closed" ]; limit = "2 working days"; } );'''
        self.assertEqual(self.rows(body, MONDAY, "resolved@2026-03-05 10:00"), ["2026-03-09 17:00 breach -/feedback"])
        self.assertEqual(self.rows(body, MONDAY, "resolved@2026-03-05 10:00", "closed@2026-03-06 10:00"), [])

    def test_20_an_agreed_date_is_reminded_of_like_a_stage(self):
        body = stages(stage('''obligations = ( { id = "plan"; starts = "agreed"; ends = [ "outcome_shared" ];
            limit = "as agreed"; remind = [ "1 working day before" ]; } );'''))
        self.assertEqual(self.rows(body, MONDAY, "agreed@2026-03-03 10:00/2026-03-16 12:00"),
                         ["2026-03-13 09:00 reminder one/plan", "2026-03-16 12:00 breach one/plan"])

    def test_21_the_last_stage_asks_again_until_the_end(self):
        body = stages(stage('limit = "2 working days"; repeat = { every = "1 working week"; };'))
        # Due Wed 4; again on the 5th, 10th, 15th working day after it: 11, 18, 25 March; then the end.
        self.assertEqual(self.rows(body, MONDAY, "resolved@2026-03-26 10:00", kinds=("breach", "overdue")),
                         ["2026-03-04 17:00 breach one/one", "2026-03-11 09:00 overdue one/one",
                          "2026-03-18 09:00 overdue one/one", "2026-03-25 09:00 overdue one/one"])

    def test_22_several_policies_side_by_side(self):
        self.trial.policy(one('"2 working days"'), id="children")
        self.trial.policy(one('"5 working days"'), id="adults")
        self.assertEqual([rows(self.trial.timeline(MONDAY, policy=id), ("breach",)) for id in ("children", "adults")],
                         [["2026-03-04 17:00 breach one/one"], ["2026-03-09 17:00 breach one/one"]])

    def test_23_versions_side_by_side_and_an_unknown_one_is_an_error(self):
        self.trial.policy(one('"2 working days"'), version="2025")
        self.trial.policy(one('"5 working days"'), version="2026")
        self.assertEqual([rows(self.trial.timeline(MONDAY, policy=f"trial@{v}"), ("breach",)) for v in (2025, 2026)],
                         [["2026-03-04 17:00 breach one/one"], ["2026-03-09 17:00 breach one/one"]])
        for name in ("trial@2024", "trial"):
            ran = self.trial.run("timeline", "--policy", name, "--event", MONDAY)
            self.assertEqual(ran.returncode, 3)
            self.assertIn("trial@2025, trial@2026", ran.stderr)

    def test_24_a_missing_role_has_a_stand_in(self):
        main = self.trial.file.read_text()
        self.trial.file.write_text(main.replace('title = "manager";', 'title = "manager"; instead = [ "director" ];'))
        self.assertEqual(self.due('"2 working days"'), "2026-03-04 17:00")
        # Who is told then is tests/unit/core/test_recipient and tests/unit/service/test_pass.

    def test_25_a_calendar_of_its_own(self):
        school = CALENDAR.replace('"england"', '"school"').replace(
            "holidays =", 'closures = ( { from = "2026-03-03"; to = "2026-03-06"; name = "Half term"; } ); holidays =')
        self.trial.configure(calendars=(CALENDAR, school))
        # The half term is no working time by the school's calendar: Mon 9, Tue 10.
        found = self.rows(one('"2 working days"'), kinds=("breach",), calendar="school")
        self.assertEqual(found, ["2026-03-10 17:00 breach one/one"])


class Combined(Rules):
    def test_silent_stages_lead_to_the_last_one_by_themselves(self):
        body = stages(stage('limit = "1 working day"; breach = { escalate_to = "two"; };'),
                      stage('limit = "2 working days"; breach = { escalate_to = "three"; };', id="two"),
                      stage('limit = "3 working days"; repeat = { every = "1 working day"; times = 1; };', id="three"))
        # Tue 3; then Wed 4, Thu 5; then Fri 6, Mon 9, Tue 10; asked again on Wed 11.
        self.assertEqual(self.rows(body), [
            "2026-03-03 17:00 breach one/one", "2026-03-03 17:00 escalation two/one",
            "2026-03-05 17:00 breach two/two", "2026-03-05 17:00 escalation three/two",
            "2026-03-10 17:00 breach three/three", "2026-03-11 09:00 overdue three/three"])

    def test_a_step_back_is_a_new_visit_with_a_new_clock(self):
        body = stages(stage('limit = "3 working days";'), stage('limit = "5 working days";', id="two"))
        found = self.rows(body, MONDAY, "stage:two@2026-03-03 10:00", "stage:one@2026-03-04 10:00")
        self.assertEqual(found, ["2026-03-09 17:00 breach one/one"])

    def test_recording_the_stage_in_effect_changes_nothing(self):
        body = stages(stage('limit = "3 working days";'))
        self.assertEqual(self.rows(body, MONDAY, "stage:one@2026-03-04 10:00"), ["2026-03-05 17:00 breach one/one"])

    def test_a_pause_leaves_its_days_out(self):
        # Paused at the closings of Tue 3 and Wed 4: the two days are Thu 5 and Fri 6.
        self.assertEqual(self.due('"2 working days"', MONDAY, "paused@2026-03-03 12:00/2026-03-05 08:00"),
                         "2026-03-06 17:00")

    def test_resuming_ends_a_pause_early(self):
        # Resumed on Wed 4 before closing: only Tue 3 is left out, the two days are Wed 4 and Thu 5.
        self.assertEqual(self.due('"2 working days"', MONDAY, "paused@2026-03-03 12:00/2026-03-20 08:00",
                                  "resumed@2026-03-04 12:00"), "2026-03-05 17:00")

    def test_hours_move_by_the_exact_length_of_a_pause(self):
        # 30 hours from Mon 10:00 are Tue 16:00; three hours of pause make it 19:00.
        self.assertEqual(self.due('"30 hours"', MONDAY, "paused@2026-03-03 10:00/2026-03-03 13:00"), "2026-03-03 19:00")

    def test_a_pause_without_an_end_stops_no_clock_and_is_told(self):
        self.trial.policy(one('"2 working days"'))
        ran = self.trial.run("timeline", "--policy", "trial", "--event", MONDAY, "--event", "paused@2026-03-03 12:00")
        self.assertIn("2026-03-04 17:00  breach", ran.stdout)
        self.assertIn("without an end", ran.stderr)

    def test_neither_an_agreed_date_nor_protect_by_moves_with_a_pause(self):
        pause = "paused@2026-03-03 09:00/2026-03-05 18:00"
        self.assertEqual(self.due('"5 working days"', MONDAY, pause, options=("--protect-by", "2026-03-06 12:00")),
                         "2026-03-06 12:00")
        body = stages(stage('''obligations = ( { id = "plan"; starts = "agreed"; ends = [ "closed" ];
            limit = "as agreed"; } );'''))
        self.assertEqual(self.rows(body, MONDAY, "agreed@2026-03-02 12:00/2026-03-06 12:00", pause),
                         ["2026-03-06 12:00 breach one/plan"])

    def test_reopened_is_a_new_visit_of_the_stage_in_effect(self):
        found = self.rows(one('"3 working days"'), MONDAY, "resolved@2026-03-03 10:00", "reopened@2026-03-10 10:00")
        self.assertEqual(found, ["2026-03-13 17:00 breach one/one"])

    def test_reopened_restarts_no_cap_that_has_ended(self):
        body = one('"3 working days"') + '''overall = ( { id = "cap"; starts = "raised"; ends = [ "resolved" ];
            limit = "20 working days"; } );'''
        found = self.rows(body, MONDAY, "resolved@2026-03-03 10:00", "reopened@2026-03-10 10:00")
        self.assertEqual(found, ["2026-03-13 17:00 breach one/one"])

    def test_a_second_start_is_ignored_while_the_clock_runs(self):
        body = stages(stage('''obligations = ( { id = "reply"; starts = "discussed"; ends = [ "responded" ];
            limit = "3 working days"; } );'''))
        self.assertEqual(self.rows(body, MONDAY, "discussed@2026-03-03 10:00", "discussed@2026-03-05 10:00"),
                         ["2026-03-06 17:00 breach one/reply"])

    def test_after_an_end_a_new_start_runs_anew(self):
        body = stages(stage('''obligations = ( { id = "reply"; starts = "discussed"; ends = [ "responded" ];
            limit = "3 working days"; } );'''))
        self.assertEqual(self.rows(body, MONDAY, "discussed@2026-03-03 10:00", "responded@2026-03-04 10:00",
                                   "discussed@2026-03-09 10:00"), ["2026-03-12 17:00 breach one/reply"])

    def test_what_ran_out_in_a_stage_passed_through_at_one_instant_is_told(self):
        # Stage and cap run out together; "middle" is entered and left at that instant, and its letter was owed by Monday.
        body = stages(
            stage('limit = "3 working days"; breach = { escalate_to = "middle"; };'),
            stage('obligations = ( { id = "letter"; starts = "raised"; ends = [ "agreed" ]; limit = "4 hours"; '
                  'firm = false; } );', id="middle"),
            stage("", id="last", owner="receiving.senior_manager")) + (
            ' overall = ( { id = "cap"; owner = "receiving.manager"; starts = "raised"; ends = [ "resolved" ];'
            ' limit = "3 working days"; breach = { escalate_to = "last"; }; } );')
        self.assertEqual(sorted(self.rows(body, kinds=("breach", "escalation"))), [
            "2026-03-05 17:00 breach -/cap", "2026-03-05 17:00 breach middle/letter",
            "2026-03-05 17:00 breach one/one",
            "2026-03-05 17:00 escalation last/cap", "2026-03-05 17:00 escalation middle/one"])

    def test_an_end_at_the_due_instant_is_in_time(self):
        self.assertEqual(self.rows(one('"3 working days"'), MONDAY, "resolved@2026-03-05 17:00"), [])

    def test_those_told_are_stood_down_by_an_answer(self):
        body = stages(stage('limit = "2 working days"; breach = { escalate_to = "last"; tell = [ "owner" ]; };'), LAST)
        self.trial.policy(body)
        # Due Wed 4 at closing, so mailed on Thu 5 at 09:00; resolved at 11:00.
        entries = self.trial.timeline(MONDAY, "resolved@2026-03-05 11:00")
        cleared = [e for e in entries if e["kind"] == "cleared"]
        self.assertEqual(sorted(role for e in cleared for role in e["to"]),
                         ["receiving.manager", "receiving.senior_manager"])
        self.assertEqual({local(e) for e in cleared}, {"2026-03-05 11:00"})
        # An answer before the mail went leaves nobody to stand down.
        entries = self.trial.timeline(MONDAY, "resolved@2026-03-05 08:00")
        self.assertEqual([e for e in entries if e["kind"] == "cleared"], [])

    def test_silence_without_a_clock_is_told_again_and_again(self):
        body = stages(stage('''obligations = ( { id = "talk"; starts = "stage"; ends = [ "discussed" ];
            limit = "5 working days"; } );'''))
        # Discussed on Tue 3: nothing runs; 5 working days later is Tue 10, then Tue 17, at the opening.
        found = self.rows(body, MONDAY, "discussed@2026-03-03 10:00", kinds=("quiet",),
                          options=("--until", "2026-03-18"))
        self.assertEqual([row[:16] for row in found], ["2026-03-10 09:00", "2026-03-17 09:00"])

    def test_an_acknowledgement_quiets_reminders_and_no_breach(self):
        body = one('"4 working days"', 'remind = [ "3 working days before", "1 working day before" ];')
        head = 'acknowledge = { mutes = "1 working day"; };'
        # Due Fri 6; reminders on Tue 3 and Thu 5 at 09:00; acknowledged on Mon 2, muted until Tue 3.
        found = self.rows(body, MONDAY, "acknowledged@2026-03-02 16:00", head=head)
        self.assertEqual(found[-1], "2026-03-06 17:00 breach one/one")
        self.assertNotIn("2026-03-03 09:00 reminder one/one", found)
        self.assertIn("2026-03-05 09:00 reminder one/one", found)


class Recorded(Rules):
    """What only a store can hold: events that take others back, and events typed in late."""

    def setUp(self):
        super().setUp()
        self.trial.policy(one('"3 working days"'))
        self.trial.json("init")

    def forecast(self, *events):
        """(kind, at, recorded_at, voids) each; the breaches that explain foresees from Monday 12:00."""
        with contextlib.closing(sqlite3.connect(self.trial.folder / "challenges.db", isolation_level=None)) as store:
            store.execute("INSERT INTO agency (id, name) VALUES ('school', 'S'), ('council', 'C')")
            number = store.execute("INSERT INTO challenge (reference, policy, policy_version, raising_agency,"
                                   " receiving_agency) VALUES ('R', 'trial', '1', 'school', 'council')").lastrowid
            for kind, at, recorded, voids in events:
                store.execute("INSERT INTO event (challenge, kind, at, recorded_at, voids) VALUES"
                              " (?, ?, unixepoch(?), unixepoch(?), ?)", (number, kind, at, recorded, voids))
        return rows(self.trial.json("--at", "2026-03-02 12:00", "forecast", "--days", "30"), ("breach",))

    def test_an_event_that_is_voided_never_was(self):
        self.assertEqual(self.forecast(("raised", "2026-03-02 10:00", "2026-03-02 10:00", None),
                                       ("resolved", "2026-03-02 11:00", "2026-03-02 11:00", None),
                                       ("voided", "2026-03-02 11:30", "2026-03-02 11:30", 2)),
                         ["2026-03-05 17:00 breach one/one"])

    def test_an_event_that_corrects_another_takes_its_place(self):
        # Raised on Monday by mistake; it was Tuesday.
        self.assertEqual(self.forecast(("raised", "2026-03-02 10:00", "2026-03-02 10:00", None),
                                       ("raised", "2026-03-03 10:00", "2026-03-03 11:00", 1)),
                         ["2026-03-06 17:00 breach one/one"])

    def test_an_event_typed_in_late_counts_from_when_it_happened(self):
        self.assertEqual(self.forecast(("raised", "2026-03-02 10:00", "2026-03-20 16:00", None)),
                         ["2026-03-05 17:00 breach one/one"])


class CalendarVectors(Rules):
    """The vectors that the comparison of existing systems asks for, by name."""

    COUNT = one('"2 working days"')

    def after(self, start, limit="2 working days", **more):
        return self.due(f'"{limit}"', f"raised@{start}", **more)

    def test_received_on_friday_at_17_30(self):
        self.assertEqual(self.after("2026-03-06 17:30"), "2026-03-10 17:00")

    def test_received_on_saturday(self):
        self.assertEqual(self.after("2026-03-07 12:00"), "2026-03-10 17:00")

    def test_received_on_a_bank_holiday(self):
        # Easter Monday; Tue 7, Wed 8.
        self.assertEqual(self.after("2026-04-06 12:00"), "2026-04-08 17:00")

    def test_received_at_23_59(self):
        self.assertEqual(self.after("2026-03-02 23:59"), "2026-03-04 17:00")

    def test_late_arrival_next_working_day_moves_the_zero_day(self):
        head = 'counting = { late_arrival = "next_working_day"; };'
        # Friday 17:30 counts as received on Mon 9: Tue 10, Wed 11.
        self.assertEqual(self.after("2026-03-06 17:30", head=head), "2026-03-11 17:00")

    def test_hours_across_the_spring_change(self):
        # 24 hours from Saturday 28 March 12:00 GMT are Sunday 13:00 summer time.
        self.assertEqual(self.after("2026-03-28 12:00", "24 hours"), "2026-03-29 13:00")

    def test_hours_across_the_autumn_change(self):
        self.assertEqual(self.after("2026-10-24 12:00", "24 hours"), "2026-10-25 11:00")

    def test_a_deadline_in_working_days_across_each_change_stays_at_closing(self):
        self.assertEqual(self.after("2026-03-27 10:00", "1 working day"), "2026-03-30 17:00")
        self.assertEqual(self.after("2026-10-23 10:00", "1 working day"), "2026-10-26 17:00")

    def test_days_into_the_gap_of_spring(self):
        # The same local time a day later would be 01:30, which does not exist: as if the old offset held, 02:30.
        self.assertEqual(self.after("2026-03-28 01:30", "1 day"), "2026-03-29 02:30")

    def test_christmas_and_new_year_with_a_substitute_day(self):
        # 2026: Fri 25 Dec, Mon 28 Dec (Boxing Day is a Saturday), Fri 1 Jan: from Thu 24: Tue 29, Wed 30, Thu 31, Mon 4.
        self.assertEqual(self.after("2026-12-24 10:00", "4 working days"), "2027-01-04 17:00")

    def test_easter(self):
        self.assertEqual(self.after("2026-04-02 10:00", "1 working day"), "2026-04-07 17:00")

    def test_england_and_wales_against_scotland_and_northern_ireland(self):
        found = {}
        for division in ("england-and-wales", "scotland", "northern-ireland"):
            self.trial.configure(calendars=(CALENDAR.replace("england-and-wales", division),))
            found[division] = (self.after("2026-04-02 10:00", "1 working day"),
                               self.after("2026-07-10 10:00", "1 working day"))
        # Easter Monday works in Scotland; Monday 13 July is Northern Ireland's holiday.
        self.assertEqual(found, {"england-and-wales": ("2026-04-07 17:00", "2026-07-13 17:00"),
                                 "scotland": ("2026-04-06 17:00", "2026-07-13 17:00"),
                                 "northern-ireland": ("2026-04-07 17:00", "2026-07-14 17:00")})

    def test_a_closure_week(self):
        closed = CALENDAR.replace("holidays =",
                                  'closures = ( { from = "2026-03-09"; to = "2026-03-13"; } ); holidays =')
        self.trial.configure(calendars=(closed,))
        self.assertEqual(self.after("2026-03-06 10:00"), "2026-03-17 17:00")

    def test_zero_working_days_are_refused(self):
        self.trial.policy(one('"0 working days"'))
        ran = self.trial.run("check")
        self.assertEqual(ran.returncode, 1)
        self.assertRegex(ran.stdout, r"trial-1\.conf:\d+: .*limit: ")

    def test_past_the_horizon_it_is_provisional(self):
        self.trial.policy(self.COUNT)
        entries = self.trial.timeline("raised@2045-03-06 10:00")
        self.assertEqual({e["provisional"] for e in entries if e["kind"] == "breach"}, {True})
        entries = self.trial.timeline(MONDAY)
        self.assertEqual({e["provisional"] for e in entries if e["kind"] == "breach"}, {False})

    def test_a_day_that_closes_at_24_00(self):
        late = CALENDAR.replace('tuesday = "09:00-17:00"', 'tuesday = "00:00-24:00"')
        self.trial.configure(calendars=(late,))
        self.assertEqual(self.after("2026-03-02 10:00", "1 working day"), "2026-03-04 00:00")

    def test_a_leap_day(self):
        # Tuesday 29 February 2028.
        self.assertEqual(self.after("2028-02-28 10:00", "1 working day"), "2028-02-29 17:00")

    def test_a_pause_that_starts_and_ends_out_of_hours(self):
        # From Monday 20:00 to Wednesday 07:00 only Tuesday's closing is paused: Wed 4, Thu 5.
        self.assertEqual(self.due('"2 working days"', MONDAY, "paused@2026-03-02 20:00/2026-03-04 07:00"),
                         "2026-03-05 17:00")

    def test_a_pause_across_a_stage_change(self):
        body = stages(stage('limit = "5 working days";'), stage('limit = "2 working days";', id="two"))
        # Stage two begins on Tue 3 inside the pause of Tue 3 and Wed 4: Thu 5, Fri 6.
        self.assertEqual(self.rows(body, MONDAY, "paused@2026-03-03 09:00/2026-03-05 08:00", "stage:two@2026-03-03 12:00"),
                         ["2026-03-06 17:00 breach two/two"])

    # A holiday added after the item opened, and after a step fired; a clock set back; three weeks of downtime: with
    # the ledger, in tests/unit/service/test_pass.


if __name__ == "__main__":
    unittest.main()
