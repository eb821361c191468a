#!/usr/bin/python3
"""What the package holds, and what `make install` installs: the same, complete, and nothing else (T54 without a boot).

What becomes of it on a machine, installed, upgraded, removed and purged, is test_booted.py's.
"""

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "lib"))
sys.path.insert(0, str(TOP / "tests" / "system"))
from partnership import BUILD  # noqa: E402
from test_booted import build_package  # noqa: E402

PROGRAMS = ("usr/sbin/challenge-notifyd", "usr/bin/challengectl", "usr/libexec/challenge-notifyd/challenge-notify-sender")
# What Debian's tools add: nothing of it is ours to install.
DEBIANS = re.compile(r"usr/share/(doc/challenge-notifyd|lintian/overrides)/")


def run(*command, **how):
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, **how).stdout


def files_of(tree):
    return {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file() or path.is_symlink()}


def as_packaged(name):
    """Where the package has what `make install` puts below /usr/local."""
    name = re.sub(r"^usr/local/", "usr/", name)
    name = re.sub(r"^usr/lib/systemd/system/", "lib/systemd/system/", name)
    return re.sub(r"^(usr/share/man/.*)$", r"\1.gz", name)


class Package(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        for tool in ("dpkg-buildpackage", "dh", "lintian"):
            if shutil.which(tool) is None:
                raise unittest.SkipTest(f"{tool} is not installed: scripts/deps package")
        cls.package = build_package()
        cls.folder = Path(tempfile.mkdtemp(prefix="test-package-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.tree = cls.folder / "package"
        run("dpkg-deb", "-R", cls.package, cls.tree)
        cls.control = cls.tree / "DEBIAN"
        cls.staged = cls.folder / "staged"
        cls.install()

    @classmethod
    def install(cls):
        run("make", "-s", "install", f"DESTDIR={cls.staged}", f"BUILD={BUILD}", cwd=TOP,
            env={**os.environ, "MAKEFLAGS": ""})

    def packaged(self):
        return {name for name in files_of(self.tree) if not name.startswith("DEBIAN/") and not DEBIANS.match(name)}

    def test_both_ways_install_the_same_files(self):
        self.assertEqual({as_packaged(name) for name in files_of(self.staged)}, self.packaged())

    def test_what_is_installed_says_the_same_but_for_its_place(self):
        for name in sorted(files_of(self.staged)):
            if as_packaged(name) in PROGRAMS or name.endswith(tuple("1234578")):
                continue
            staged = (self.staged / name).read_text()
            self.assertEqual(staged.replace("/usr/local/", "/usr/"), (self.tree / as_packaged(name)).read_text(), name)
            self.assertNotRegex(staged, r"@[a-z]+dir@", name)

    def test_nothing_of_the_sources_was_forgotten(self):
        installed = {Path(name).name for name in files_of(self.staged)}
        wanted = [path for folder in ("systemd", "daemon/man", "conf") for path in (TOP / folder).rglob("*")
                  if path.is_file()] + [TOP / "scripts" / name for name in ("backup", "update-holidays")]
        renamed = {"challenge-notifyd.sysusers": "challenge-notifyd.conf", "challenge-notifyd.tmpfiles":
                   "challenge-notifyd.conf", "challengectl.bash-completion": "challengectl"}
        self.assertGreater(len(wanted), 50)
        self.assertEqual([path for path in wanted if renamed.get(path.name, path.name) not in installed], [])

    def test_modes_are_everybodys_to_read_and_roots_to_write(self):
        for tree in (self.tree, self.staged):
            for path in tree.rglob("*"):
                mode = stat.S_IMODE(path.stat().st_mode)
                if path.is_relative_to(self.control):
                    continue
                runs = path.is_dir() or "bin/" in str(path) or "/libexec/" in str(path)
                self.assertEqual(oct(mode), oct(0o755 if runs else 0o644), path)

    def test_words_that_somebody_made_his_own_stay(self):
        foot = self.staged / "etc/challenge-notifyd/templates/en/foot.txt"
        shipped = foot.read_text()
        foot.write_text(shipped + "Edited by the partnership.\n")
        before = files_of(self.staged)
        self.install()
        self.assertEqual(foot.read_text(), shipped + "Edited by the partnership.\n")
        self.assertEqual(files_of(self.staged) - before, {"etc/challenge-notifyd/templates/en/foot.txt.new"})
        self.assertEqual(Path(f"{foot}.new").read_text(), shipped)
        Path(f"{foot}.new").unlink()
        foot.write_text(shipped)

    def test_every_file_of_etc_is_a_conffile(self):
        conffiles = (self.control / "conffiles").read_text().split()
        self.assertEqual(sorted(conffiles), sorted(f"/{name}" for name in self.packaged() if name.startswith("etc/")))

    def test_what_it_depends_on_is_what_its_programs_load(self):
        depends = {re.split(r"[ (:]", one.strip())[0] for one in
                   run("dpkg-deb", "-f", self.package, "Depends").split(",")}
        multiarch = run("dpkg-architecture", "-qDEB_HOST_MULTIARCH").strip()
        loaded = set()
        for program in PROGRAMS:
            for library in re.findall(r"NEEDED.*\[(.*?)\]", run("readelf", "-d", self.tree / program)):
                found = run("dpkg-query", "-S", f"*/{multiarch}/{library}").splitlines()
                loaded |= {line.split(":")[0] for line in found}
        self.assertEqual(depends - {"systemd", "tzdata"}, {name for name in loaded if not name.endswith("-dev")})
        self.assertLessEqual({"systemd", "tzdata"}, depends)

    def test_lintian_has_nothing_to_say(self):
        log = (self.package.parent / "lintian.log").read_text()
        self.assertEqual(re.findall(r"(?m)^[EW]: .*", log), [])

    def test_users_and_folders_are_made_as_the_units_want_them(self):
        """By systemd's own tools, in a tree of their own."""
        if os.geteuid() != 0 or shutil.which("systemd-sysusers") is None:
            self.skipTest("it takes root, systemd-sysusers and systemd-tmpfiles")
        for tree, folder in ((self.tree, "usr/lib"), (self.staged, "usr/local/lib")):
            root = self.folder / f"root-{tree.name}"
            shutil.copytree(tree / folder, root / folder)
            (root / "etc").mkdir()
            for tool in (("systemd-sysusers",), ("systemd-tmpfiles", "--create")):
                run(*tool, f"--root={root}")
            users = {line.split(":")[0]: line.split(":") for line in (root / "etc/passwd").read_text().splitlines()}
            groups = {line.split(":")[0]: line.split(":") for line in (root / "etc/group").read_text().splitlines()}
            user = users["challenge-notifyd"]
            self.assertEqual(user[3], groups["challenge-store"][2], "its group is the store's")
            self.assertIn("nologin", user[6])
            status = (root / "var/lib/challenge-store").stat()
            self.assertEqual((oct(stat.S_IMODE(status.st_mode)), status.st_uid, status.st_gid),
                             (oct(0o2770), 0, int(groups["challenge-store"][2])))
            unit = (tree / next(name for name in files_of(tree) if name.endswith("/challenge-notifyd.service"))).read_text()
            for setting in ("User=challenge-notifyd", "Group=challenge-store", "StateDirectoryMode=0700"):
                self.assertIn(f"\n{setting}\n", unit)
            program = re.search(r"(?m)^ExecStart=(\S+)", unit).group(1)
            self.assertTrue(os.access(tree / program.lstrip("/"), os.X_OK), program)


if __name__ == "__main__":
    unittest.main()
