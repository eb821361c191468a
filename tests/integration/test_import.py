#!/usr/bin/python3
"""challengectl import and export: a partnership's spreadsheets go in whole or not at all, and come out as they went in."""

import csv
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "lib"))
from control import COULD_NOT, NO, USAGE, Control  # noqa: E402

HEAD = "reference,policy,raising_agency,receiving_agency,raised_at"


class Import(Control):
    def exported(self, kind):
        ran = self.ctl("export", kind)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        return ran.stdout

    def faults(self, kind, *lines, options=()):
        """What is told of a file with faults; nothing of it may be written."""
        before = self.contents()
        said = self.said("import", kind, self.write("faulty.csv", *lines), *options, exits=NO)
        self.assertFalse(said["written"])
        self.assertEqual(self.contents(), before)
        return [(fault["line"], fault["column"], fault["what"]) for fault in said["faults"]]

    def take(self, kind, *lines, options=()):
        said = self.said("import", kind, self.write("sound.csv", *lines), *options)
        self.assertEqual(said["faults"], [])
        return said["added"], said["changed"], said["unchanged"]

    # --- agencies and contacts ----------------------------------------------------------------------

    def test_agencies_with_excels_mark_and_a_map(self):
        self.said("init")
        path = self.folder / "agencies.csv"
        path.write_bytes(b'\xef\xbb\xbfCode,Organisation,Phone,Comment\r\nschool,"School, ""The""",\'+44 1632,nice\r\n')
        said = self.said("import", "agencies", path, "--map", "Code=id", "--map", "Organisation=name",
                         "--map", "Phone=telephone", "--map", "Comment=")
        self.assertEqual((said["added"], said["written"]), (1, True))
        self.assertEqual(self.query("SELECT id, name, telephone FROM agency"),
                         [("school", 'School, "The"', "+44 1632")])

    def test_every_faulty_line_is_told_and_nothing_written(self):
        self.people()
        found = self.faults("contacts", "agency,role,email,active",
                            "school,manager,b@partnership.example,yes",
                            "shcool,manager,c@partnership.example,yes",
                            "school,manger,d@partnership.example,yes",
                            "school,manager,not an address,yes",
                            "school,manager,e@elsewhere.example,yes",
                            "school,manager,f@partnership.example,perhaps",
                            "school,manager",
                            "school,manager,manager.school@partnership.example,yes")
        self.assertEqual([line for line, _, _ in found], [3, 4, 5, 6, 7, 8, 9])
        self.assertEqual([column for _, column, _ in found], ["agency", "role", "email", "email", "active", "", ""])
        self.assertIn('nearest is "school"', found[0][2])
        self.assertIn('nearest is "manager"', found[1][2])
        self.assertIn("2 fields, where the heading has 4", found[5][2])
        self.assertIn("there is contact 2 already", found[6][2])
        words = self.ctl("import", "contacts", self.folder / "faulty.csv")
        self.assertEqual(words.returncode, NO)
        self.assertIn("faulty.csv:4: role: there is no role", words.stdout)
        self.assertIn("Nothing was written.", words.stdout)

    def test_every_fault_of_a_line_is_told_and_those_of_the_others(self):
        self.people()
        found = self.faults("challenges", "reference,policy,raising_agency,receiving_agency,concerns,raised_at,outcome",
                            "R1,example,school,social-care,child,24/11/2025,",
                            "R2,exmple,,social-crae,chlid,31/02/2026,stands",
                            "R1,example,school,social-care,child,24/11/2025,",
                            "R3,example,nobody,social-care,child,24/11/2025,")
        self.assertEqual([(line, column) for line, column, _ in found],
                         [*((3, column) for column in ("raising_agency", "receiving_agency", "concerns", "policy",
                                                       "outcome", "raised_at")),
                          (4, "reference"), (5, "raising_agency")])

    def test_rows_that_a_spreadsheet_left_empty_are_passed_over(self):
        self.people()
        self.assertEqual(self.take("agencies", "id,name,telephone", "a,b,c", ",,", ", ,", "d,e,f", ",,", ",,,,,"),
                         (2, 0, 0))

    def test_a_file_divided_by_semicolons_is_told_as_such(self):
        self.people()
        self.assertIn("not divided by commas", self.faults("agencies", "id;name", "a;b")[0][2])

    def test_a_file_of_some_size_is_read_and_one_beyond_measure_is_not(self):
        self.people()
        rows = [f"a{n},{'name' * 40}" for n in range(8000)]
        self.assertEqual(self.take("agencies", "id,name", *rows), (8000, 0, 0))
        path = self.folder / "huge.csv"
        with path.open("wb") as huge:
            huge.truncate((64 << 20) + 1)
        self.refused(COULD_NOT, "larger than 64 MiB", "import", "agencies", path)

    def test_a_heading_that_is_unknown_or_lacks(self):
        self.people()
        self.assertIn("--map 'Nme=FIELD'", self.faults("agencies", "id,Nme", "a,b")[0][2])
        self.assertIn("twice", self.faults("agencies", "id,name,ID", "a,b,c")[0][2])
        self.assertIn("no such column", self.faults("agencies", "id,name", "a,b", options=("--map", "x=name"))[0][2])
        self.assertIn("needs one", self.faults("agencies", "name", "b")[0][2])
        self.assertIn("stands in line 2", self.faults("agencies", "id,name", "a,b", "a,c")[0][2])
        self.assertIn("never closed", self.faults("agencies", "id,name", 'a,"b')[0][2])

    def test_contacts_are_updated_by_address_or_id(self):
        self.people()
        self.assertEqual(self.take("contacts", "agency,email,name,away_from,away_until,deputy",
                                   "school,manager.school@partnership.example,New Name,24/12/2026,04/01/2027,"
                                   "practitioner.school@partnership.example",
                                   "school,practitioner.school@partnership.example,A. Practitioner,,,",
                                   options=("--update",)), (0, 1, 1))
        self.assertEqual(self.query("SELECT name, role, away_from, deputy, active FROM contact WHERE id = 2"),
                         [("New Name", "manager", 1798070400, 1, 1)])
        self.assertEqual(self.take("contacts", "id,active", "2,no", options=("--update",)), (0, 1, 0))
        self.assertEqual(self.query("SELECT name, active FROM contact WHERE id = 2"), [("New Name", 0)])

    def test_two_contacts_at_one_address_need_a_role_or_an_id(self):
        self.people()
        self.assertEqual(self.take("contacts", "agency,role,email",
                                   "school,designated_lead,manager.school@partnership.example"), (1, 0, 0))
        self.assertIn("say which by the id",
                      self.faults("contacts", "agency,email,name", "school,manager.school@partnership.example,X",
                                  options=("--update",))[0][2])
        self.take("contacts", "agency,role,email,name",
                  "school,designated_lead,manager.school@partnership.example,Lead", options=("--update",))
        self.assertEqual(self.query("SELECT name FROM contact WHERE id IN (2, 5) ORDER BY id"),
                         [("A. Manager",), ("Lead",)])

    # --- challenges ---------------------------------------------------------------------------------

    def test_a_spreadsheet_of_challenges_lives_on(self):
        self.people()
        log = ("Ref,policy,raising_agency,receiving_agency,Raised,resolved_at,outcome,receiving_contact",
               "CH/1,example,school,social-care,03/02/2026 10:00,,,manager.social-care@partnership.example",
               "CH/2,example,school,social-care,04/02/2026,05/02/2026,changed,")
        options = ("--map", "Ref=reference", "--map", "Raised=raised_at")
        self.assertEqual(self.take("challenges", *log, options=options), (2, 0, 0))
        self.assertEqual(self.query("SELECT c.reference, e.kind, e.at, coalesce(e.value, '') FROM event e"
                                    " JOIN challenge c ON c.id = e.challenge ORDER BY e.id"),
                         [("CH/1", "raised", 1770112800, ""), ("CH/2", "raised", 1770163200, ""),
                          ("CH/2", "resolved", 1770249600, "changed")])
        self.assertEqual(self.query("SELECT receiving_contact FROM challenge ORDER BY id"), [(4,), (None,)])
        self.assertEqual(self.faults("challenges", *log, options=options)[0][:2], (2, "reference"))
        again = ("--update", *options)
        self.assertEqual(self.take("challenges", *log, options=again), (0, 0, 2))
        resolved = log[1].replace(",,,", ",06/02/2026 12:00,stands,")
        self.assertEqual(self.take("challenges", log[0], resolved, log[2], options=again), (0, 1, 1))
        self.assertEqual(self.query("SELECT kind, value FROM event WHERE challenge = 1 ORDER BY id"),
                         [("raised", None), ("resolved", "stands")])
        told = self.faults("challenges", log[0], resolved.replace("06/02", "07/02"), options=again)
        self.assertIn("another time is recorded", told[0][2])

    def test_one_agency_on_both_sides_is_a_warning(self):
        """Departments of a council may disagree; more often it is a slip."""
        self.people()
        said = self.said("import", "challenges", self.write(
            "one.csv", HEAD, "R1,example,school,school,03/02/2026", "R2,example,school,social-care,03/02/2026"))
        self.assertEqual((said["written"], said["added"]), (True, 2))
        ((line, column, what, warning),) = [tuple(fault.values()) for fault in said["faults"]]
        self.assertEqual((line, column, warning), (2, "receiving_agency", True))
        self.assertIn("the same agency on both sides", what)
        ran = self.ctl("raise", "--policy", "example", "--raising", "school", "--receiving", "school")
        self.assertEqual(ran.returncode, 0)
        self.assertRegex(ran.stderr, '^challengectl: warning: "school" is the same agency on both sides: .*\n$')

    def test_wrong_challenges_are_refused(self):
        self.people()
        found = self.faults(
            "challenges", HEAD + ",urgency,stage,resolved_at,outcome,concerns",
            "A B,example,school,social-care,03/02/2026,,,,,",
            "R1,exmaple,school,social-care,03/02/2026,,,,,",
            "R2,example,school,none,03/02/2026,,,,,",
            "R3,example,school,social-care,31/02/2026,,,,,",
            "R4,example,school,social-care,,,,,,",
            "R5,example,school,social-care,03/02/2059,,,,,",
            "R6,example,school,social-care,03/02/2026,urgnt,,,,",
            "R7,example,school,social-care,03/02/2026,,mangr,,,",
            "R8,example,school,social-care,03/02/2026,,,,changed,",
            "R9,example,school,social-care,03/02/2026,,,04/02/2026,won,",
            "R10,example,school,social-care,03/02/2026,,,,,dog")
        self.assertEqual([line for line, _, _ in found], list(range(2, 13)))
        self.assertEqual([column for _, column, _ in found],
                         ["reference", "policy", "receiving_agency", "raised_at", "raised_at", "raised_at",
                          "urgency", "stage", "outcome", "outcome", "concerns"])

    def test_a_dry_run_writes_nothing(self):
        self.people()
        before = self.contents()
        said = self.said("import", "challenges", self.write("c.csv", HEAD, "R1,example,school,social-care,03/02/2026"),
                         "--dry-run")
        self.assertEqual((said["added"], said["written"], said["faults"]), (1, False, []))
        self.assertEqual(self.contents(), before)

    def test_what_is_exported_can_be_imported(self):
        self.people()
        self.query("UPDATE agency SET cover = 2 WHERE id = 'school'")
        self.query("UPDATE contact SET deputy = 3, away_from = 1798070400, name = '=1+\"1\"' WHERE id = 1")
        self.query("UPDATE contact SET name = '=cmd(), \"x\"', active = 0 WHERE id = 4")
        self.take("challenges", HEAD + ",stage,stage_at,resolved_at,outcome,closed_at,raising_contact,protect_by",
                  "R1,example,school,social-care,03/02/2026,manager,04/02/2026 11:00,05/02/2026,stands,"
                  "06/02/2026,1,01/03/2026",
                  "R2,example,social-care,school,03/02/2026 09:30,,,,,,,")
        files = {kind: self.folder / f"{kind}.csv" for kind in ("agencies", "contacts", "challenges")}
        for kind, path in files.items():
            path.write_bytes(self.exported(kind).encode())
        for path in self.folder.glob("challenges.db*"):
            path.unlink()
        self.said("init")
        self.said("import", "agencies", files["agencies"], "--map", "cover=")
        self.said("import", "contacts", files["contacts"])
        self.said("import", "agencies", files["agencies"], "--update")
        self.said("import", "challenges", files["challenges"])
        for kind, path in files.items():
            self.assertEqual(self.exported(kind), path.read_bytes().decode(), kind)
        rows = list(csv.DictReader(self.exported("contacts").splitlines()))
        self.assertEqual(rows[3]["name"], "'=cmd(), \"x\"")

    def test_usage(self):
        self.people()
        self.refused(USAGE, "agencies, contacts or challenges", "import", "people", "x.csv")
        self.refused(USAGE, "agencies, contacts or challenges", "export", "people")
        self.refused(USAGE, "CSVCOLUMN=FIELD", "import", "agencies", "x.csv", "--map", "id")
        self.refused(COULD_NOT, "none.csv", "import", "agencies", self.folder / "none.csv")


if __name__ == "__main__":
    unittest.main()
