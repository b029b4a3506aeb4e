-- A ledger as commit df3271a wrote it, which is before load/ was cut into stages. Never make it anew with later code: the
-- tests show that what was written then can still be used.
--
-- How it was made: three loads in simulated time, into an SQLite file, by a process of "another machine"; then the text that
-- sqlite3's iterdump gave while the third load was still running, which is what a kill at that moment leaves.
--   nightly  student0..5 with teacher0..2, of which HighLevel had the first two; a record that is gone; a repeated row. Green.
--   read     hub with teacher0..4, all there: read from HighLevel (diff_against="highlevel"). Green.
--   killed   late0..11 with teacher9: 0..8 were sent and took effect, and the answer for late4 never came.
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
INSERT INTO "ghl_attempts" VALUES(1,1,1,0,'another machine',4711,'',1800000000.0,1800000000.0,1800000000.0,8,0,0);
INSERT INTO "ghl_attempts" VALUES(2,2,1,0,'another machine',4711,'',1800000600.0,1800000600.0,1800000600.0,2,0,0);
INSERT INTO "ghl_attempts" VALUES(3,3,1,0,'another machine',4711,'',1800001200.0,1800001200.0,NULL,10,0,0);
CREATE TABLE ghl_ledger (
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "ghl_ledger" VALUES('schema_version','1');
INSERT INTO "ghl_ledger" VALUES('ledger_id','79a7992bdba84757859944f50209f8ea');
INSERT INTO "ghl_ledger" VALUES('first_key','d1ac44fd837a6a1b');
INSERT INTO "ghl_ledger" VALUES('second_key','874af56b234b2d4a');
INSERT INTO "ghl_ledger" VALUES('made_at','1795763429.88135');
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
INSERT INTO "ghl_load_results" VALUES(1,0,'0','ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','student0','teacher0','already_exists','answer',NULL,400,NULL,1,1,'b3a1c5d0');
INSERT INTO "ghl_load_results" VALUES(1,1,'1','ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','student1','teacher1','already_exists','answer',NULL,400,NULL,1,1,'b3a1c5d0');
INSERT INTO "ghl_load_results" VALUES(1,2,'2','ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','student2','teacher2','created','answer','000000000000000000000003',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(1,3,'3','ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','student3','teacher0','created','answer','000000000000000000000004',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(1,4,'4','ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','student4','teacher1','created','answer','000000000000000000000005',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(1,5,'5','ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','student5','teacher2','created','answer','000000000000000000000006',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(1,6,'6','ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','gone','teacher1','rejected',NULL,NULL,400,'Contact with id gone not found',1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(2,0,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','hub','teacher0','already_exists','read','000000000000000000000007',NULL,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(2,1,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','hub','teacher1','already_exists','read','000000000000000000000008',NULL,NULL,0,1,NULL);
INSERT INTO "ghl_load_results" VALUES(2,2,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','hub','teacher2','already_exists','read','000000000000000000000009',NULL,NULL,0,1,NULL);
INSERT INTO "ghl_load_results" VALUES(2,3,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','hub','teacher3','already_exists','read','00000000000000000000000a',NULL,NULL,0,1,NULL);
INSERT INTO "ghl_load_results" VALUES(2,4,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','hub','teacher4','already_exists','read','00000000000000000000000b',NULL,NULL,0,1,NULL);
INSERT INTO "ghl_load_results" VALUES(3,0,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','late0','teacher9','created','answer','00000000000000000000000c',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(3,1,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','late1','teacher9','created','answer','00000000000000000000000d',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(3,2,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','late2','teacher9','created','answer','00000000000000000000000e',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(3,3,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','late3','teacher9','created','answer','00000000000000000000000f',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(3,5,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','late5','teacher9','created','answer','000000000000000000000011',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(3,6,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','late6','teacher9','created','answer','000000000000000000000012',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(3,7,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','late7','teacher9','created','answer','000000000000000000000013',201,NULL,1,1,NULL);
INSERT INTO "ghl_load_results" VALUES(3,8,NULL,'ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697','late8','teacher9','created','answer','000000000000000000000014',201,NULL,1,1,NULL);
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
	UNIQUE (load_id)
);
INSERT INTO "ghl_loads" VALUES(1,'nightly','ve9EPM428h8vShlRW1KT','student_teacher',1800000000.0,1,NULL,'green','8 rows: 4 created, 2 already_exists, 1 repeated, 1 rejected. Why: 1 × rejected: 400: Contact with id <id> not found.','{"load_id": "nightly", "rows": 8, "created": 4, "already_exists": 2, "repeated": 1, "invalid": 0, "unresolved": 0, "rejected": 1, "failed": 0, "not_attempted": 0, "stopped_by": null, "requests": 8, "retries": 0, "rate_limited": 0, "seconds": 0.6, "daily_remaining": 199992, "results_path": null, "results_cut": false}',1800000000.0);
INSERT INTO "ghl_loads" VALUES(2,'read','ve9EPM428h8vShlRW1KT','student_teacher',1800000600.0,1,NULL,'green','5 rows: 5 already_exists.','{"load_id": "read", "rows": 5, "created": 0, "already_exists": 5, "repeated": 0, "invalid": 0, "unresolved": 0, "rejected": 0, "failed": 0, "not_attempted": 0, "stopped_by": null, "requests": 2, "retries": 0, "rate_limited": 0, "seconds": 0.6, "daily_remaining": 199990, "results_path": null, "results_cut": false}',1800000600.0);
INSERT INTO "ghl_loads" VALUES(3,'killed','ve9EPM428h8vShlRW1KT','student_teacher',1800001200.0,0,NULL,NULL,NULL,NULL,1800001200.0);
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
INSERT INTO "ghl_relations" VALUES(1,X'02961F8FBCDF2A3543C893AE79D46425',17352,1,'student1','teacher1',NULL,NULL,NULL,1800000000.0,1800000000.0,1);
INSERT INTO "ghl_relations" VALUES(1,X'06D738216968BF2CAE4C9981F8775298',44620,1,'hub','teacher2','000000000000000000000009',NULL,NULL,NULL,1800000600.0,2);
INSERT INTO "ghl_relations" VALUES(1,X'0F9F20E928EAC09B7968C59A3B060522',31080,0,'late9','teacher9',NULL,3,3,1800001200.0,NULL,NULL);
INSERT INTO "ghl_relations" VALUES(1,X'120B365895AE74A51D1E8749ABA3778D',7454,1,'late0','teacher9','00000000000000000000000c',3,NULL,1800001200.0,1800001200.0,3);
INSERT INTO "ghl_relations" VALUES(1,X'15CD184EA946AC13A6B9A8D3E8D4B135',42681,1,'student0','teacher0',NULL,NULL,NULL,1800000000.0,1800000000.0,1);
INSERT INTO "ghl_relations" VALUES(1,X'28F296A8B448D74A3228384C3FF04CD4',12840,1,'student2','teacher2','000000000000000000000003',1,NULL,1800000000.0,1800000000.0,1);
INSERT INTO "ghl_relations" VALUES(1,X'321DA4DE7291E11A8C8942FFF2A5918E',35977,0,'late4','teacher9',NULL,3,3,1800001200.0,NULL,NULL);
INSERT INTO "ghl_relations" VALUES(1,X'385856C4DA9A787A94B63604864F0927',38070,1,'hub','teacher1','000000000000000000000008',NULL,NULL,NULL,1800000600.0,2);
INSERT INTO "ghl_relations" VALUES(1,X'392D39D71DA49BD661C91B2D7C1D8BA9',25033,1,'hub','teacher4','00000000000000000000000b',NULL,NULL,NULL,1800000600.0,2);
INSERT INTO "ghl_relations" VALUES(1,X'43BD1504B2740DBDBC6F7134DEFCEC9C',48239,1,'late1','teacher9','00000000000000000000000d',3,NULL,1800001200.0,1800001200.0,3);
INSERT INTO "ghl_relations" VALUES(1,X'50761C0BAE2D18A5DDE5EDDC4D0FEA95',56805,1,'late5','teacher9','000000000000000000000011',3,NULL,1800001200.0,1800001200.0,3);
INSERT INTO "ghl_relations" VALUES(1,X'524E6A1D428F1EC907D963A5B3E123FC',2009,1,'student5','teacher2','000000000000000000000006',1,NULL,1800000000.0,1800000000.0,1);
INSERT INTO "ghl_relations" VALUES(1,X'64D080FA564A383B39C1C6ED62C15498',14785,1,'late7','teacher9','000000000000000000000013',3,NULL,1800001200.0,1800001200.0,3);
INSERT INTO "ghl_relations" VALUES(1,X'6F5020645EC2509C21BF3C6248DC9694',8639,1,'late6','teacher9','000000000000000000000012',3,NULL,1800001200.0,1800001200.0,3);
INSERT INTO "ghl_relations" VALUES(1,X'762C01289928FE857A45A163BFE2C38C',31301,1,'student4','teacher1','000000000000000000000005',1,NULL,1800000000.0,1800000000.0,1);
INSERT INTO "ghl_relations" VALUES(1,X'7940005ABED3E331A1E111D947C2A036',41441,0,'late11','teacher9',NULL,3,3,1800001200.0,NULL,NULL);
INSERT INTO "ghl_relations" VALUES(1,X'9DF6DA8852DD269B3628D19F4B508BBE',13864,1,'late2','teacher9','00000000000000000000000e',3,NULL,1800001200.0,1800001200.0,3);
INSERT INTO "ghl_relations" VALUES(1,X'AFEF33D0E8D54717D95432DFA6CBC3C4',55636,1,'late8','teacher9','000000000000000000000014',3,NULL,1800001200.0,1800001200.0,3);
INSERT INTO "ghl_relations" VALUES(1,X'C09DFD6FE289B2F6BF3B76E389A84C40',48955,0,'late10','teacher9',NULL,3,3,1800001200.0,NULL,NULL);
INSERT INTO "ghl_relations" VALUES(1,X'CAFC3EF6961D4748FE02865B11897171',65026,1,'hub','teacher0','000000000000000000000007',NULL,NULL,NULL,1800000600.0,2);
INSERT INTO "ghl_relations" VALUES(1,X'D90724779339B09817D4716366DF919B',6100,1,'hub','teacher3','00000000000000000000000a',NULL,NULL,NULL,1800000600.0,2);
INSERT INTO "ghl_relations" VALUES(1,X'DDB6C4D59F17AADFD83C4C601186336D',55356,1,'student3','teacher0','000000000000000000000004',1,NULL,1800000000.0,1800000000.0,1);
INSERT INTO "ghl_relations" VALUES(1,X'E18461F1ECC44FB56D5818AF0A713512',27992,1,'late3','teacher9','00000000000000000000000f',3,NULL,1800001200.0,1800001200.0,3);
CREATE TABLE ghl_targets (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	host TEXT NOT NULL, 
	location_id TEXT NOT NULL, 
	association_id TEXT NOT NULL, 
	UNIQUE (host, location_id, association_id)
);
INSERT INTO "ghl_targets" VALUES(1,'https://services.leadconnectorhq.com','ve9EPM428h8vShlRW1KT','6758b5c1f5e2a1d3c4b5a697');
CREATE INDEX ix_ghl_relations_second_record_id ON ghl_relations (second_record_id);
CREATE INDEX ix_ghl_relations_first_record_id ON ghl_relations (first_record_id);
CREATE INDEX ix_ghl_relations_relation_id ON ghl_relations (relation_id) WHERE relation_id IS NOT NULL;
CREATE INDEX ix_ghl_attempts_load ON ghl_attempts (load);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('ghl_loads',3);
INSERT INTO "sqlite_sequence" VALUES('ghl_attempts',3);
INSERT INTO "sqlite_sequence" VALUES('ghl_targets',1);
COMMIT;
