-- A ledger as commit 0f82055 wrote it, the last one with tables of version 2. Never make it anew with later code: the tests show
-- that what was written then can still be used.
--
-- How it was made: three loads into an SQLite file, by a process of "another machine"; then the text that sqlite3's iterdump gave
-- while the third load was still running, which is what a kill at that moment leaves.
--   school/night 1/link/-1    student0..5 with teacher0..2, of which HighLevel had the first two; two records that are gone; a
--                             repeated row. Not green.
--   school/night/1/several/3  six rows in two locations, four of them refused; two keys. Not green.
--   school/night 2/link/-1    late0..11 with teacher9: 0..8 were answered.
BEGIN TRANSACTION;
CREATE TABLE ghl_attempts (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	load INTEGER NOT NULL, 
	try_number INTEGER NOT NULL, 
	is_resumed BOOLEAN NOT NULL, 
	machine TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	process_began TEXT NOT NULL, 
	began DOUBLE NOT NULL, 
	heartbeat DOUBLE NOT NULL, 
	ended DOUBLE, 
	requests INTEGER NOT NULL, 
	retries INTEGER NOT NULL, 
	rate_limited INTEGER NOT NULL
);
INSERT INTO "ghl_attempts" VALUES(1,1,1,0,'another machine',4711,'',1800000000.0,1800000000.0,1800000000.0,9,0,0);
INSERT INTO "ghl_attempts" VALUES(2,2,1,0,'another machine',4711,'',1800000600.0,1800000600.0,1800000600.0,7,0,1);
INSERT INTO "ghl_attempts" VALUES(3,3,1,0,'another machine',4711,'',1800001200.0,1800001200.0,NULL,12,0,0);
CREATE TABLE ghl_keys (
	lookup_id INTEGER NOT NULL, 
	"key" BLOB NOT NULL, 
	phase INTEGER NOT NULL, 
	record_id TEXT NOT NULL, 
	confirmed DOUBLE NOT NULL, 
	confirmed_by INTEGER NOT NULL, 
	PRIMARY KEY (lookup_id, "key")
)
 WITHOUT ROWID

;
INSERT INTO "ghl_keys" VALUES(1,X'6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B6B',27499,'record1',1800000600.0,2);
INSERT INTO "ghl_keys" VALUES(1,X'6C6C6C6C6C6C6C6C6C6C6C6C6C6C6C6C',27756,'record2',1800000600.0,2);
CREATE TABLE ghl_ledger (
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "ghl_ledger" VALUES('schema_version','2');
INSERT INTO "ghl_ledger" VALUES('ledger_id','1752855c5b544cb5b6e1aea8aaf3757f');
INSERT INTO "ghl_ledger" VALUES('first_key','41ea628fc7892f41');
INSERT INTO "ghl_ledger" VALUES('second_key','db5cb416d8cd075b');
INSERT INTO "ghl_ledger" VALUES('made_at','1795810922.088151');
CREATE TABLE ghl_load_results (
	load INTEGER NOT NULL, 
	"row" BIGINT NOT NULL, 
	row_key TEXT, 
	location_id TEXT, 
	association_id TEXT, 
	first_record_id TEXT, 
	second_record_id TEXT, 
	outcome TEXT NOT NULL, 
	evidence TEXT, 
	relation_id TEXT, 
	status_code INTEGER, 
	reason TEXT, 
	requests INTEGER NOT NULL, 
	try_number INTEGER NOT NULL, 
	trace_id TEXT, 
	PRIMARY KEY (load, "row")
)
 WITHOUT ROWID

;
INSERT INTO "ghl_load_results" VALUES(1,0,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','student0','teacher0','already_exists','answer',NULL,400,NULL,1,1,'b3a1c5d0');
INSERT INTO "ghl_load_results" VALUES(1,1,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','student1','teacher1','already_exists','answer',NULL,400,NULL,1,1,'b3a1c5d0');
INSERT INTO "ghl_load_results" VALUES(1,2,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','student2','teacher2','created','answer','000000000000000000000003',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(1,3,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','student3','teacher0','created','answer','000000000000000000000004',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(1,4,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','student4','teacher1','created','answer','000000000000000000000005',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(1,5,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','student5','teacher2','created','answer','000000000000000000000006',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(1,6,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','gone1','teacher0','rejected',NULL,NULL,400,'Contact with id gone1 not found',1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(1,7,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','gone2','teacher0','rejected',NULL,NULL,400,'Contact with id gone2 not found',1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(2,0,'"key 0"','south','a1','record000000000000','other','rejected',NULL,NULL,404,'No contact record000000000000',1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(2,1,'"key 1"','north','a1','record000000000001','other','rejected',NULL,NULL,404,'No contact record000000000001',1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(2,2,'"key 2"','south','a1','record000000000002','other','rejected',NULL,NULL,404,'No contact record000000000002',1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(2,3,'"key 3"','north','a1','record000000000003','other','rejected',NULL,NULL,404,'No contact record000000000003',1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(2,4,'"key 4"','south','a1','record000000000004','other','created','answer',NULL,201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(2,5,'"key 5"','north','a1','record000000000005','other','created','answer',NULL,201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(3,0,'0','ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','late0','teacher9','created','answer','000000000000000000000000',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(3,1,'1','ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','late1','teacher9','created','answer','000000000000000000000001',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(3,2,'2','ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','late2','teacher9','created','answer','000000000000000000000002',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(3,3,'3','ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','late3','teacher9','created','answer','000000000000000000000003',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(3,4,'4','ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','late4','teacher9','created','answer','000000000000000000000004',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(3,5,'5','ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','late5','teacher9','created','answer','000000000000000000000005',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(3,6,'6','ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','late6','teacher9','created','answer','000000000000000000000006',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(3,7,'7','ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','late7','teacher9','created','answer','000000000000000000000007',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(3,8,'8','ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','late8','teacher9','created','answer','000000000000000000000008',201,NULL,1,1,NULL);
CREATE TABLE ghl_loads (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	load_id TEXT NOT NULL, 
	location_id TEXT NOT NULL, 
	association TEXT NOT NULL, 
	chain_began DOUBLE NOT NULL, 
	ended_well BOOLEAN NOT NULL, 
	deferred_since DOUBLE, 
	"end" TEXT, 
	message TEXT, 
	counts TEXT, 
	updated DOUBLE NOT NULL, 
	series TEXT, 
	UNIQUE (load_id)
);
INSERT INTO "ghl_loads" VALUES(1,'school/night 1/link/-1','ve9EPM428h8vShlRW1KT','student_teacher',1800000000.0,0,NULL,'final','2 of 9 rows failed, all of them rejected: 400: Contact with id <id> not found. 9 rows: 4 created, 2 already_exists, 1 repeated, 2 rejected.','{"load_id": "school/night 1/link/-1", "rows": 9, "created": 4, "already_exists": 2, "repeated": 1, "invalid": 0, "unresolved": 0, "rejected": 2, "failed": 0, "not_attempted": 0, "stopped_by": null, "requests": 9, "retries": 0, "rate_limited": 0, "seconds": 0.6, "daily_remaining": 199991, "results_path": null, "results_cut": false}',1800000000.0,'school/link/-1');
INSERT INTO "ghl_loads" VALUES(2,'school/night/1/several/3','several','friends',1800000600.0,0,NULL,'final','4 of 6 rows failed.','{"rows": 6, "created": 2, "already_exists": 0, "repeated": 0, "invalid": 0, "unresolved": 0, "rejected": 4, "failed": 0, "not_attempted": 0, "locations": {"north": {"created": 1}, "south": {"created": 1}}}',1800000600.0,'school/several/3');
INSERT INTO "ghl_loads" VALUES(3,'school/night 2/link/-1','ve9EPM428h8vShlRW1KT','student_teacher',1800001200.0,0,NULL,NULL,NULL,NULL,1800001200.0,'school/link/-1');
CREATE TABLE ghl_lookups (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	host TEXT NOT NULL, 
	location_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	UNIQUE (host, location_id, name)
);
INSERT INTO "ghl_lookups" VALUES(1,'https://services.leadconnectorhq.com','north','contact by email');
CREATE TABLE ghl_named (
	series TEXT NOT NULL, 
	target_id INTEGER NOT NULL, 
	load INTEGER NOT NULL, 
	noted DOUBLE NOT NULL, 
	mirror_since INTEGER, 
	pairs BLOB NOT NULL, 
	PRIMARY KEY (series, target_id)
);
INSERT INTO "ghl_named" VALUES('school/link/-1',1,1,1800000000.0,NULL,X'119FAFDF5E6B1B4427836FCA15DAEAB02C5B41D10A89214B5934A74B3E8DE1F8632A2FB97ABCBBD46517C6EFC2B6D50274A31E26909FBD50EEBC8BD44FC02769');
CREATE TABLE ghl_relations (
	target_id INTEGER NOT NULL, 
	pair BLOB NOT NULL, 
	phase INTEGER NOT NULL, 
	state SMALLINT NOT NULL, 
	first_record_id TEXT NOT NULL, 
	second_record_id TEXT NOT NULL, 
	relation_id TEXT, 
	load INTEGER, 
	attempt INTEGER, 
	claimed_at DOUBLE, 
	confirmed DOUBLE, 
	confirmed_by INTEGER, 
	PRIMARY KEY (target_id, pair)
)
 WITHOUT ROWID

;
INSERT INTO "ghl_relations" VALUES(1,X'119FAFDF5E6B1B4474D8FB7D6DB12859',29912,1,'student1','teacher1',NULL,NULL,NULL,1800000000.0,1800000000.0,1);
INSERT INTO "ghl_relations" VALUES(1,X'11AF0724A0E4D8CCF3688819D4B31AD0',62312,1,'late3','teacher9','000000000000000000000003',3,NULL,1800001200.0,1800001200.0,3);
INSERT INTO "ghl_relations" VALUES(1,X'27836FCA15DAEAB0CB43FD7ECB6CCA1B',52035,1,'student5','teacher2','000000000000000000000006',1,NULL,1800000000.0,1800000000.0,1);
INSERT INTO "ghl_relations" VALUES(1,X'2C5B41D10A89214B9B56DA949546720B',39766,1,'student0','teacher0',NULL,NULL,NULL,1800000000.0,1800000000.0,1);
INSERT INTO "ghl_relations" VALUES(1,X'32D7A365A2ACA4D2F1FF9360BD191099',61951,1,'late8','teacher9','000000000000000000000008',3,NULL,1800001200.0,1800001200.0,3);
INSERT INTO "ghl_relations" VALUES(1,X'410783942A0B25F5BBF18D7BECE3971F',48113,1,'late7','teacher9','000000000000000000000007',3,NULL,1800001200.0,1800001200.0,3);
INSERT INTO "ghl_relations" VALUES(1,X'4C6C894B7550011F54A0B249CB12DD26',21664,1,'late4','teacher9','000000000000000000000004',3,NULL,1800001200.0,1800001200.0,3);
INSERT INTO "ghl_relations" VALUES(1,X'50C628D77CB32074E65D018A2D6FBF3F',58973,1,'late5','teacher9','000000000000000000000005',3,NULL,1800001200.0,1800001200.0,3);
INSERT INTO "ghl_relations" VALUES(1,X'5CA97FAAC6DD496C6FBA08B65D6FB47B',28602,1,'late6','teacher9','000000000000000000000006',3,NULL,1800001200.0,1800001200.0,3);
INSERT INTO "ghl_relations" VALUES(1,X'632A2FB97ABCBBD47B5480A4D812159E',31572,1,'student2','teacher2','000000000000000000000003',1,NULL,1800000000.0,1800000000.0,1);
INSERT INTO "ghl_relations" VALUES(1,X'71961E9A6B492BE0FF53372F291D2E24',65363,1,'late2','teacher9','000000000000000000000002',3,NULL,1800001200.0,1800001200.0,3);
INSERT INTO "ghl_relations" VALUES(1,X'74A31E26909FBD50FE545909F2F4FF53',65108,1,'student3','teacher0','000000000000000000000004',1,NULL,1800000000.0,1800000000.0,1);
INSERT INTO "ghl_relations" VALUES(1,X'8CF7B82DE058BD7FCD8A06E3F62FFBEE',52618,1,'late1','teacher9','000000000000000000000001',3,NULL,1800001200.0,1800001200.0,3);
INSERT INTO "ghl_relations" VALUES(1,X'95C1F35136ACE847548EDF4810D95311',21646,1,'late0','teacher9','000000000000000000000000',3,NULL,1800001200.0,1800001200.0,3);
INSERT INTO "ghl_relations" VALUES(1,X'D9EA32522E3BFC88CDDA52F968BB4C5C',52698,0,'late9','teacher9',NULL,3,3,1800001200.0,NULL,NULL);
INSERT INTO "ghl_relations" VALUES(1,X'E0B9271F0AAF7388D35171C3EEA37B56',54097,0,'late11','teacher9',NULL,3,3,1800001200.0,NULL,NULL);
INSERT INTO "ghl_relations" VALUES(1,X'EEBC8BD44FC02769E6B2C1A9979F3CF3',59058,1,'student4','teacher1','000000000000000000000005',1,NULL,1800000000.0,1800000000.0,1);
INSERT INTO "ghl_relations" VALUES(1,X'F17C847BEB6D8083D5B9567F92F2C804',54713,0,'late10','teacher9',NULL,3,3,1800001200.0,NULL,NULL);
CREATE TABLE ghl_targets (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	host TEXT NOT NULL, 
	location_id TEXT NOT NULL, 
	association_id TEXT NOT NULL, 
	UNIQUE (host, location_id, association_id)
);
INSERT INTO "ghl_targets" VALUES(1,'https://services.leadconnectorhq.com','ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697');
CREATE INDEX ix_ghl_relations_second_record_id ON ghl_relations (second_record_id);
CREATE INDEX ix_ghl_relations_relation_id ON ghl_relations (relation_id) WHERE relation_id IS NOT NULL;
CREATE INDEX ix_ghl_relations_first_record_id ON ghl_relations (first_record_id);
CREATE INDEX ix_ghl_keys_record_id ON ghl_keys (record_id);
CREATE INDEX ix_ghl_attempts_load ON ghl_attempts (load);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('ghl_loads',3);
INSERT INTO "sqlite_sequence" VALUES('ghl_attempts',3);
INSERT INTO "sqlite_sequence" VALUES('ghl_targets',1);
INSERT INTO "sqlite_sequence" VALUES('ghl_lookups',1);
COMMIT;
