-- The challenge store, version 1: what `challengectl init` creates, and what any other system may write to.
--
-- challenge-notifyd only reads it. Times are UTC seconds since 1970. Every table is STRICT, so SQLite 3.37 or later is
-- needed to open it. A writer keeps to this:
--   PRAGMA foreign_keys = ON; PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = EXTRA;   (each connection; never WAL)
--   one short BEGIN IMMEDIATE ... COMMIT for what belongs together: a challenge with its `raised` event, say.
-- The least that makes a valid challenge whose clocks run:
--   INSERT INTO challenge (reference, policy, policy_version, raising_agency, receiving_agency)
--       VALUES ('2026-014', 'example', '2026-01', 'school', 'social-care');
--   INSERT INTO event (challenge, kind, at) VALUES (last_insert_rowid(), 'raised', 1795514400);
-- No names, initials or birth dates belong into references, kinds or stages: they appear in mails.
PRAGMA journal_mode = TRUNCATE;
PRAGMA synchronous = EXTRA;
PRAGMA foreign_keys = ON;

BEGIN IMMEDIATE;
PRAGMA application_id = 0x43484E44; -- "CHND"
PRAGMA user_version = 1;

-- The organisations of the partnership, itself among them.
CREATE TABLE agency (
	id        TEXT NOT NULL PRIMARY KEY CHECK (id <> ''),
	name      TEXT NOT NULL,
	telephone TEXT DEFAULT '',                     -- of the switchboard: it may stand in mails
	calendar  TEXT,                                -- of the main file, where it keeps hours of its own
	cover     INTEGER REFERENCES contact (id)      -- who answers while it is closed for long
) STRICT;

-- Who holds which role there.
CREATE TABLE contact (
	id           INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0),
	agency       TEXT NOT NULL REFERENCES agency (id),
	role         TEXT NOT NULL,                    -- one of the main file's roles: "manager"
	name         TEXT DEFAULT '',
	email        TEXT NOT NULL,
	language     TEXT DEFAULT 'en',                -- a folder of templates
	shared       INTEGER NOT NULL DEFAULT 0 CHECK (shared IN (0, 1)), -- 1: a team's mailbox
	away_from    INTEGER,
	away_until   INTEGER,                          -- NULL with away_from: until further notice
	deputy       INTEGER REFERENCES contact (id),  -- who stands in while away
	confirmed_at INTEGER,                          -- when somebody last made sure that all this is so
	active       INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1))
) STRICT;
CREATE INDEX contact_agency ON contact (agency);

-- One professional challenge. Ids are never used twice: the ledger's notices are named after them.
CREATE TABLE challenge (
	id                INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0),
	reference         TEXT NOT NULL UNIQUE CHECK (reference <> ''),
	policy            TEXT NOT NULL,
	policy_version    TEXT NOT NULL,               -- it keeps the version it was raised under
	urgency           TEXT,                        -- NULL: the policy's first
	concerns          TEXT NOT NULL DEFAULT 'child' CHECK (concerns IN ('child', 'adult', 'both')),
	category          TEXT,                        -- one of the policy's causes
	raising_agency    TEXT NOT NULL REFERENCES agency (id),
	receiving_agency  TEXT NOT NULL REFERENCES agency (id),
	raising_contact   INTEGER REFERENCES contact (id),
	receiving_contact INTEGER REFERENCES contact (id),
	protect_by        INTEGER,                     -- makes every limit earlier, never later
	change_seq        INTEGER NOT NULL DEFAULT 0   -- kept by the triggers below: leave it out
) STRICT;
CREATE INDEX challenge_change_seq ON challenge (change_seq);

-- What happened, and when. Append-only: take a wrong entry back by a `voided` event that names it.
CREATE TABLE event (
	id          INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id > 0),
	challenge   INTEGER NOT NULL REFERENCES challenge (id),
	kind        TEXT NOT NULL CHECK (kind <> ''),  -- raised, decision_received, stage, acknowledged, discussed, responded,
	                                               -- agreed, not_agreed, meeting_held, immediate_risk, learned, resolved,
	                                               -- outcome_shared, closed, withdrawn, reopened, paused, resumed, voided,
	                                               -- or one that the policy names
	stage       TEXT CHECK (kind <> 'stage' OR (stage IS NOT NULL AND stage <> '')), -- the stage entered
	at          INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER)),   -- when it happened
	due         INTEGER,                           -- a date that was agreed; the end of a pause
	voids       INTEGER REFERENCES event (id),     -- the event of this challenge that this one takes back
	value       TEXT,                              -- the coded outcome of `resolved`, the theme of `learned`
	recorded_at INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER)),   -- when it was typed
	by          TEXT,                              -- who typed it
	note        TEXT                               -- never mailed, never read by the daemon
) STRICT;
CREATE INDEX event_challenge ON event (challenge, id);

-- Bookkeeping, one row each. `counter` numbers every change, once and for ever; `identity` tells this store from the one
-- that a new `init` would make, and stays the same in a copy.
CREATE TABLE counter (
	only       INTEGER PRIMARY KEY CHECK (only = 1),
	change_seq INTEGER NOT NULL
) STRICT;
CREATE TABLE identity (
	only INTEGER PRIMARY KEY CHECK (only = 1),
	hex  TEXT NOT NULL
) STRICT;
INSERT INTO counter (only, change_seq) VALUES (1, 0);
INSERT INTO identity (only, hex) VALUES (1, lower(hex(randomblob(16))));

-- The one way in which rows may go. Name the challenge here first; then, in the same transaction, delete its events and
-- the challenge itself. This row stays, and says that there was one. Its id is never used again.
CREATE TABLE purge (
	id        INTEGER PRIMARY KEY AUTOINCREMENT,
	challenge INTEGER NOT NULL,
	rule      TEXT NOT NULL CHECK (rule <> ''),    -- the retention rule or decision that asks for it
	at        INTEGER NOT NULL DEFAULT (CAST(strftime('%s', 'now') AS INTEGER)),
	by        TEXT
) STRICT;
CREATE INDEX purge_challenge ON purge (challenge);

-- Every change of a challenge or of its events gives it the next number. An UPDATE of change_seq alone fires none of
-- these, so they end after one step whether recursive_triggers is on or off.
CREATE TRIGGER challenge_inserted AFTER INSERT ON challenge BEGIN
	UPDATE counter SET change_seq = change_seq + 1;
	UPDATE challenge SET change_seq = (SELECT change_seq FROM counter) WHERE id = NEW.id;
END;
CREATE TRIGGER challenge_updated AFTER UPDATE OF reference, policy, policy_version, urgency, concerns, category,
	raising_agency, receiving_agency, raising_contact, receiving_contact, protect_by ON challenge BEGIN
	UPDATE counter SET change_seq = change_seq + 1;
	UPDATE challenge SET change_seq = (SELECT change_seq FROM counter) WHERE id = NEW.id;
END;
CREATE TRIGGER event_inserted AFTER INSERT ON event BEGIN
	UPDATE counter SET change_seq = change_seq + 1;
	UPDATE challenge SET change_seq = (SELECT change_seq FROM counter) WHERE id = NEW.challenge;
END;
CREATE TRIGGER change_seq_kept BEFORE UPDATE OF change_seq ON challenge
	WHEN NEW.change_seq <> OLD.change_seq AND NEW.change_seq <> (SELECT change_seq FROM counter) BEGIN
	SELECT RAISE(ABORT, 'change_seq is kept by the triggers of the store: leave it out');
END;
CREATE TRIGGER counter_only_rises BEFORE UPDATE ON counter WHEN NEW.change_seq <= OLD.change_seq BEGIN
	SELECT RAISE(ABORT, 'the counter of changes only rises');
END;
CREATE TRIGGER counter_stays BEFORE DELETE ON counter BEGIN
	SELECT RAISE(ABORT, 'the counter of changes only rises');
END;
CREATE TRIGGER counter_single BEFORE INSERT ON counter BEGIN
	SELECT RAISE(ABORT, 'the counter of changes only rises');
END;

-- An event points at what is there, also where a writer forgot PRAGMA foreign_keys.
CREATE TRIGGER event_of_challenge BEFORE INSERT ON event
	WHEN NOT EXISTS (SELECT 1 FROM challenge WHERE id = NEW.challenge) BEGIN
	SELECT RAISE(ABORT, 'the challenge of this event is not in the store');
END;
CREATE TRIGGER event_voids_own BEFORE INSERT ON event
	WHEN NEW.voids IS NOT NULL
	AND NOT EXISTS (SELECT 1 FROM event WHERE id = NEW.voids AND challenge = NEW.challenge) BEGIN
	SELECT RAISE(ABORT, 'the event to be voided is not one of this challenge');
END;

-- Append-only. REPLACE deletes without asking DELETE triggers, so what it would replace is refused here.
CREATE TRIGGER event_not_replaced BEFORE INSERT ON event WHEN EXISTS (SELECT 1 FROM event WHERE id = NEW.id) BEGIN
	SELECT RAISE(ABORT, 'events are append-only: take one back by a voided event');
END;
CREATE TRIGGER event_not_updated BEFORE UPDATE ON event BEGIN
	SELECT RAISE(ABORT, 'events are append-only: take one back by a voided event');
END;
CREATE TRIGGER event_not_deleted BEFORE DELETE ON event
	WHEN NOT EXISTS (SELECT 1 FROM purge WHERE challenge = OLD.challenge) BEGIN
	SELECT RAISE(ABORT, 'events are append-only: rows go only through a recorded purge');
END;

-- A challenge stays, under its id; replacing it would silently part it from its events.
CREATE TRIGGER challenge_not_replaced BEFORE INSERT ON challenge
	WHEN EXISTS (SELECT 1 FROM challenge WHERE id = NEW.id OR reference = NEW.reference) BEGIN
	SELECT RAISE(ABORT, 'a challenge with this id or reference is there already: change it by UPDATE');
END;
CREATE TRIGGER challenge_not_merged BEFORE UPDATE OF id, reference ON challenge
	WHEN NEW.id <> OLD.id OR EXISTS (SELECT 1 FROM challenge WHERE reference = NEW.reference AND id <> OLD.id) BEGIN
	SELECT RAISE(ABORT, 'a challenge keeps its id, and no two have one reference');
END;
CREATE TRIGGER challenge_not_revived BEFORE INSERT ON challenge
	WHEN EXISTS (SELECT 1 FROM purge WHERE challenge = NEW.id) BEGIN
	SELECT RAISE(ABORT, 'the challenge of this id was purged: let the store choose a new id');
END;
CREATE TRIGGER challenge_not_deleted BEFORE DELETE ON challenge
	WHEN NOT EXISTS (SELECT 1 FROM purge WHERE challenge = OLD.id) BEGIN
	SELECT RAISE(ABORT, 'a challenge goes only through a recorded purge');
END;
CREATE TRIGGER purge_not_updated BEFORE UPDATE ON purge BEGIN
	SELECT RAISE(ABORT, 'the record of a purge stays');
END;
CREATE TRIGGER purge_not_deleted BEFORE DELETE ON purge BEGIN
	SELECT RAISE(ABORT, 'the record of a purge stays');
END;
CREATE TRIGGER identity_not_replaced BEFORE INSERT ON identity BEGIN
	SELECT RAISE(ABORT, 'the identity of a store never changes');
END;
CREATE TRIGGER identity_not_updated BEFORE UPDATE ON identity BEGIN
	SELECT RAISE(ABORT, 'the identity of a store never changes');
END;
COMMIT;
