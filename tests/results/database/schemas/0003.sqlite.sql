-- A database with schema 0003 as its version left it: a sweep of one run, and one with a run in every state.
BEGIN TRANSACTION;
CREATE TABLE attempts (
	run_id VARCHAR(16) NOT NULL, 
	attempt INTEGER NOT NULL CONSTRAINT ck_attempts_from_1 CHECK (attempt >= 1), 
	state VARCHAR NOT NULL, 
	started_at FLOAT NOT NULL, 
	finished_at FLOAT, 
	first_epoch INTEGER, 
	error TEXT, 
	traceback TEXT, 
	provenance JSON NOT NULL, 
	host TEXT, 
	device TEXT, 
	git_commit TEXT, 
	driver_id INTEGER, 
	fault TEXT, 
	storage TEXT, 
	CONSTRAINT pk_attempts PRIMARY KEY (run_id, attempt), 
	CONSTRAINT ck_attempts_state CHECK (state IN ('running', 'done', 'failed', 'lost', 'interrupted', 'cancelled')), 
	CONSTRAINT ck_attempts_finished_has_time CHECK ((state = 'running') = (finished_at IS NULL)), 
	CONSTRAINT ck_attempts_fault CHECK (fault IN ('trainer_error', 'out_of_memory', 'worker_lost', 'hung', 'driver_lost', 'stopped')), 
	CONSTRAINT ck_attempts_fault_ended_it CHECK (fault IS NULL OR state IN ('failed', 'lost', 'interrupted')), 
	CONSTRAINT fk_attempts_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id), 
	CONSTRAINT fk_attempts_driver_id FOREIGN KEY(driver_id) REFERENCES drivers (id)
);
INSERT INTO "attempts" VALUES('0101010101010101',1,'lost',1.79529805199471306797e+09,1.7952980519981691837e+09,NULL,'the worker vanished',NULL,'{"driver_host":"node-1","host":"node-3"}','node-3',NULL,NULL,1,'worker_lost','s3://bucket/runs');
INSERT INTO "attempts" VALUES('0101010101010101',2,'done',1.79529805200039529805e+09,1.79529805200190949437e+09,1,NULL,NULL,'{"driver_host":"node-1","host":"node-2","device":"cuda","torch":"2.15.0","git_commit":"b8c523ccbf9e6714fa163775c59bed5175e8d2d7","first_epoch":1}','node-2','cuda','b8c523ccbf9e6714fa163775c59bed5175e8d2d7',1,NULL,'s3://bucket/runs');
INSERT INTO "attempts" VALUES('0202020202020202',1,'failed',1.7952980520056519508e+09,1.79529805200670385363e+09,NULL,'ValueError: a shape «8×8» that is not','Traceback
  «8×8»
','{"driver_host":"node-1"}',NULL,NULL,NULL,1,'trainer_error','s3://bucket/runs');
INSERT INTO "attempts" VALUES('0202020202020202',2,'failed',1.79529805201866602898e+09,1.79529805202266383177e+09,NULL,'OutOfMemoryError: no memory',NULL,'{"driver_host":"node-1"}',NULL,NULL,NULL,1,'out_of_memory','s3://bucket/runs');
INSERT INTO "attempts" VALUES('0303030303030303',1,'interrupted',1.79529805202601552014e+09,1.7952980520270187854e+09,NULL,'stopped by a signal',NULL,'{"driver_host":"node-1"}',NULL,NULL,NULL,1,'stopped','s3://bucket/runs');
INSERT INTO "attempts" VALUES('0606060606060606',1,'done',1.79529805203119564058e+09,1.79529805203239059443e+09,1,NULL,NULL,'{"driver_host":"node-1","host":"node-2","device":"cuda","torch":"2.15.0","git_commit":"b8c523ccbf9e6714fa163775c59bed5175e8d2d7","first_epoch":1}','node-2','cuda','b8c523ccbf9e6714fa163775c59bed5175e8d2d7',1,NULL,'s3://bucket/runs');
INSERT INTO "attempts" VALUES('0505050505050505',1,'running',1.79529805207886242863e+09,NULL,NULL,NULL,NULL,'{"driver_host":"node-1"}',NULL,NULL,NULL,2,NULL,'s3://bucket/runs');
CREATE TABLE drivers (
	id INTEGER NOT NULL, 
	host TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	started_at FLOAT NOT NULL, 
	lease_until FLOAT NOT NULL, 
	ended_at FLOAT, 
	CONSTRAINT pk_drivers PRIMARY KEY (id)
);
INSERT INTO "drivers" VALUES(1,'node-1',2042,1.79529805198501634594e+09,1.79529811198501634602e+09,1.79529805205799937242e+09);
INSERT INTO "drivers" VALUES(2,'node-1',2043,1.79529805207401227948e+09,1.79529811207401227956e+09,1.79529805257401227957e+09);
CREATE TABLE epochs (
	run_id VARCHAR(16) NOT NULL, 
	epoch INTEGER NOT NULL CONSTRAINT ck_epochs_from_1 CHECK (epoch >= 1), 
	learning_rate FLOAT, 
	train_loss FLOAT, 
	train_accuracy FLOAT, 
	test_loss FLOAT, 
	test_accuracy FLOAT, 
	seconds FLOAT, 
	CONSTRAINT pk_epochs PRIMARY KEY (run_id, epoch), 
	CONSTRAINT ck_epochs_train_accuracy_percent CHECK (train_accuracy BETWEEN 0 AND 100), 
	CONSTRAINT ck_epochs_test_accuracy_percent CHECK (test_accuracy BETWEEN 0 AND 100), 
	CONSTRAINT fk_epochs_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id)
)
 WITHOUT ROWID

;
INSERT INTO "epochs" VALUES('0101010101010101',1,0.1,1.0,40.0,1.1,45.0,1.25);
INSERT INTO "epochs" VALUES('0101010101010101',2,0.1,0.5,80.0,0.55,90.0,1.25);
INSERT INTO "epochs" VALUES('0606060606060606',1,0.1,1.0,40.0,1.1,45.0,1.25);
INSERT INTO "epochs" VALUES('0606060606060606',2,0.1,0.5,80.0,0.55,90.0,1.25);
CREATE TABLE evaluation_configs (
	evaluation_id VARCHAR(16) NOT NULL CONSTRAINT ck_evaluation_configs_id_length CHECK (length(evaluation_id) = 16), 
	name VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	level FLOAT, 
	config JSON NOT NULL, 
	CONSTRAINT pk_evaluation_configs PRIMARY KEY (evaluation_id)
);
INSERT INTO "evaluation_configs" VALUES('eeeeeeeeeeeeeee1','gaussian[0.3]','gaussian',0.3,'{"noise":"gaussian","std":0.3}');
CREATE TABLE evaluations (
	run_id VARCHAR(16) NOT NULL, 
	evaluation_id VARCHAR(16) NOT NULL, 
	accuracy FLOAT, 
	loss FLOAT, 
	CONSTRAINT pk_evaluations PRIMARY KEY (run_id, evaluation_id), 
	CONSTRAINT ck_evaluations_accuracy_percent CHECK (accuracy BETWEEN 0 AND 100), 
	CONSTRAINT fk_evaluations_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id), 
	CONSTRAINT fk_evaluations_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluation_configs (evaluation_id)
)
 WITHOUT ROWID

;
INSERT INTO "evaluations" VALUES('0101010101010101','eeeeeeeeeeeeeee1',61.5,1.75);
CREATE TABLE runs (
	run_id VARCHAR(16) NOT NULL CONSTRAINT ck_runs_id_length CHECK (length(run_id) = 16), 
	config JSON NOT NULL, 
	model VARCHAR NOT NULL, 
	scheme VARCHAR NOT NULL, 
	depth INTEGER NOT NULL, 
	dataset VARCHAR NOT NULL, 
	seed INTEGER NOT NULL, 
	alpha JSON, 
	beta FLOAT, 
	trainable BOOLEAN NOT NULL, 
	root_moduli JSON, 
	max_root_modulus FLOAT, 
	zero_stable BOOLEAN, 
	consistent BOOLEAN, 
	"order" INTEGER, 
	parameters INTEGER NOT NULL CONSTRAINT ck_runs_counted CHECK (parameters >= 0), 
	epochs INTEGER NOT NULL CONSTRAINT ck_runs_epochs CHECK (epochs >= 0), 
	state VARCHAR DEFAULT 'queued' NOT NULL, 
	attempt INTEGER DEFAULT '0' NOT NULL, 
	test_accuracy FLOAT, 
	best_test_accuracy FLOAT, 
	best_epoch INTEGER, 
	train_accuracy FLOAT, 
	generalization_gap FLOAT, 
	train_loss FLOAT, 
	test_loss FLOAT, 
	diverged BOOLEAN, 
	diverged_epoch INTEGER, 
	train_seconds FLOAT, 
	images_per_second FLOAT, 
	weights_sha256 VARCHAR, 
	learned_coefficients JSON, 
	error TEXT, 
	created_at FLOAT NOT NULL, 
	finished_at FLOAT, 
	retried_after INTEGER DEFAULT '0' NOT NULL CONSTRAINT ck_runs_retried_after CHECK (retried_after >= 0), 
	CONSTRAINT pk_runs PRIMARY KEY (run_id), 
	CONSTRAINT ck_runs_test_accuracy_percent CHECK (test_accuracy BETWEEN 0 AND 100), 
	CONSTRAINT ck_runs_best_test_accuracy_percent CHECK (best_test_accuracy BETWEEN 0 AND 100), 
	CONSTRAINT ck_runs_train_accuracy_percent CHECK (train_accuracy BETWEEN 0 AND 100), 
	CONSTRAINT ck_runs_state CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')), 
	CONSTRAINT ck_runs_attempt CHECK (attempt >= 0), 
	CONSTRAINT ck_runs_claimed_once CHECK (attempt >= 1 OR state IN ('queued', 'cancelled')), 
	CONSTRAINT ck_runs_failed_has_error CHECK ((state = 'failed') = (error IS NOT NULL)), 
	CONSTRAINT ck_runs_done_has_result CHECK ((state = 'done') = (diverged IS NOT NULL)), 
	CONSTRAINT ck_runs_finished_has_time CHECK ((state IN ('done', 'failed')) = (finished_at IS NOT NULL)), 
	CONSTRAINT ck_runs_trainable_flag CHECK (trainable IN (0, 1)), 
	CONSTRAINT ck_runs_zero_stable_flag CHECK (zero_stable IN (0, 1)), 
	CONSTRAINT ck_runs_consistent_flag CHECK (consistent IN (0, 1)), 
	CONSTRAINT ck_runs_diverged_flag CHECK (diverged IN (0, 1))
);
INSERT INTO "runs" VALUES('0101010101010101','{"seed":1,"model":{"name":"zerosnet","depth":32,"width":16},"dataset":{"name":"digits"},"training":{"epochs":2,"optimizer":{"name":"sgd","lr":0.1}}}','zerosnet','1/3, 5/9, 1/9; 16/9',32,'digits',1,'[0.3333333333333333,0.5555555555555556,0.1111111111111111]',1.77777777777777767909e+00,0,'[1.0,0.3333333333333333,0.3333333333333333]',1.0,1,1,2,471834,2,'done',2,90.0,91.5,1,95.0,5.0,0.2,0.4,0,NULL,2.5,1200.0,'abababababababababababababababababababababababababababababababab',NULL,NULL,1.79529805195544672011e+09,1.79529805200190949437e+09,0);
INSERT INTO "runs" VALUES('0202020202020202','{"seed":2,"model":{"name":"zerosnet","depth":32,"width":16},"dataset":{"name":"digits"},"training":{"epochs":2,"optimizer":{"name":"sgd","lr":0.1}}}','zerosnet','1/3, 5/9, 1/9; 16/9',32,'digits',2,'[0.3333333333333333,0.5555555555555556,0.1111111111111111]',1.77777777777777767909e+00,0,'[1.0,0.3333333333333333,0.3333333333333333]',1.0,1,1,2,471834,2,'failed',2,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'OutOfMemoryError: no memory',1.79529805197475266454e+09,1.79529805202266383177e+09,1);
INSERT INTO "runs" VALUES('0303030303030303','{"seed":3,"model":{"name":"zerosnet","depth":32,"width":16},"dataset":{"name":"digits"},"training":{"epochs":2,"optimizer":{"name":"sgd","lr":0.1}}}','zerosnet','1/3, 5/9, 1/9; 16/9',32,'digits',3,'[0.3333333333333333,0.5555555555555556,0.1111111111111111]',1.77777777777777767909e+00,0,'[1.0,0.3333333333333333,0.3333333333333333]',1.0,1,1,2,471834,2,'queued',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79529805197475266454e+09,NULL,0);
INSERT INTO "runs" VALUES('0404040404040404','{"seed":4,"model":{"name":"zerosnet","depth":32,"width":16},"dataset":{"name":"digits"},"training":{"epochs":2,"optimizer":{"name":"sgd","lr":0.1}}}','zerosnet','1/3, 5/9, 1/9; 16/9',32,'digits',4,'[0.3333333333333333,0.5555555555555556,0.1111111111111111]',1.77777777777777767909e+00,0,'[1.0,0.3333333333333333,0.3333333333333333]',1.0,1,1,2,471834,2,'cancelled',0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79529805197475266454e+09,NULL,0);
INSERT INTO "runs" VALUES('0505050505050505','{"seed":5,"model":{"name":"zerosnet","depth":32,"width":16},"dataset":{"name":"digits"},"training":{"epochs":2,"optimizer":{"name":"sgd","lr":0.1}}}','zerosnet','1/3, 5/9, 1/9; 16/9',32,'digits',5,'[0.3333333333333333,0.5555555555555556,0.1111111111111111]',1.77777777777777767909e+00,0,'[1.0,0.3333333333333333,0.3333333333333333]',1.0,1,1,2,471834,2,'running',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79529805197475266454e+09,NULL,0);
INSERT INTO "runs" VALUES('0606060606060606','{"seed":6,"model":{"name":"zerosnet","depth":32,"width":16},"dataset":{"name":"digits"},"training":{"epochs":2,"optimizer":{"name":"sgd","lr":0.1}}}','zerosnet','learned k',32,'digits',6,NULL,NULL,1,NULL,NULL,NULL,NULL,NULL,471834,2,'done',1,NULL,91.5,1,95.0,5.0,0.2,NULL,1,2,2.5,1200.0,'abababababababababababababababababababababababababababababababab','[[0.9,0.1,1.0],[1.25,null,1.0]]',NULL,1.79529805197475266454e+09,1.79529805203239059443e+09,0);
CREATE TABLE sweep_evaluations (
	sweep_id INTEGER NOT NULL, 
	evaluation_id VARCHAR(16) NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_sweep_evaluations PRIMARY KEY (sweep_id, evaluation_id), 
	CONSTRAINT fk_sweep_evaluations_sweep_id FOREIGN KEY(sweep_id) REFERENCES sweeps (id), 
	CONSTRAINT fk_sweep_evaluations_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluation_configs (evaluation_id)
);
INSERT INTO "sweep_evaluations" VALUES(1,'eeeeeeeeeeeeeee1',0);
INSERT INTO "sweep_evaluations" VALUES(2,'eeeeeeeeeeeeeee1',0);
CREATE TABLE sweep_runs (
	sweep_id INTEGER NOT NULL, 
	run_id VARCHAR(16) NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_sweep_runs PRIMARY KEY (sweep_id, run_id), 
	CONSTRAINT fk_sweep_runs_sweep_id FOREIGN KEY(sweep_id) REFERENCES sweeps (id), 
	CONSTRAINT fk_sweep_runs_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id)
);
INSERT INTO "sweep_runs" VALUES(1,'0101010101010101',0);
INSERT INTO "sweep_runs" VALUES(2,'0101010101010101',0);
INSERT INTO "sweep_runs" VALUES(2,'0202020202020202',1);
INSERT INTO "sweep_runs" VALUES(2,'0303030303030303',2);
INSERT INTO "sweep_runs" VALUES(2,'0404040404040404',3);
INSERT INTO "sweep_runs" VALUES(2,'0505050505050505',4);
INSERT INTO "sweep_runs" VALUES(2,'0606060606060606',5);
CREATE TABLE sweep_schema (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT sweep_schema_pkc PRIMARY KEY (version_num)
);
INSERT INTO "sweep_schema" VALUES('0003');
CREATE TABLE sweep_specs (
	sweep_id INTEGER NOT NULL, 
	version INTEGER NOT NULL CONSTRAINT ck_sweep_specs_from_1 CHECK (version >= 1), 
	text TEXT NOT NULL, 
	source VARCHAR NOT NULL, 
	overrides JSON NOT NULL, 
	description TEXT, 
	created_at FLOAT NOT NULL, 
	published TEXT, 
	CONSTRAINT pk_sweep_specs PRIMARY KEY (sweep_id, version), 
	CONSTRAINT fk_sweep_specs_sweep_id FOREIGN KEY(sweep_id) REFERENCES sweeps (id)
);
INSERT INTO "sweep_specs" VALUES(1,1,'name: quickstart
','quickstart.yaml','[]','ein Blick vorab',1.79529805195544672011e+09,NULL);
INSERT INTO "sweep_specs" VALUES(2,1,'name: states
published: zerosnet/table10
','states.yaml','[]',NULL,1.79529805197475266454e+09,'zerosnet/table10');
INSERT INTO "sweep_specs" VALUES(2,2,'name: states
','states.yaml','["depth=32"]',NULL,1.79529805198164725305e+09,NULL);
CREATE TABLE sweeps (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL CONSTRAINT ck_sweeps_named CHECK (name <> ''), 
	created_at FLOAT NOT NULL, 
	updated_at FLOAT NOT NULL, 
	CONSTRAINT pk_sweeps PRIMARY KEY (id)
);
INSERT INTO "sweeps" VALUES(1,'quickstart',1.79529805195544672011e+09,1.79529805195544672011e+09);
INSERT INTO "sweeps" VALUES(2,'states',1.79529805197475266454e+09,1.79529805198164725305e+09);
CREATE UNIQUE INDEX uq_sweeps_name ON sweeps (name);
CREATE INDEX ix_runs_zero_stable_depth ON runs (zero_stable, depth);
CREATE INDEX ix_runs_finished_at ON runs (finished_at);
CREATE INDEX ix_runs_state ON runs (state);
CREATE INDEX ix_runs_dataset_model_depth ON runs (dataset, model, depth);
CREATE TRIGGER done_is_final BEFORE UPDATE ON runs WHEN OLD.state = 'done' BEGIN SELECT RAISE(ABORT, 'a done run is final'); END;
CREATE UNIQUE INDEX uq_sweep_runs_position ON sweep_runs (sweep_id, position);
CREATE INDEX ix_sweep_runs_run_id ON sweep_runs (run_id);
CREATE UNIQUE INDEX uq_sweep_evaluations_position ON sweep_evaluations (sweep_id, position);
CREATE UNIQUE INDEX uq_attempts_running ON attempts (run_id) WHERE state = 'running';
CREATE INDEX ix_evaluations_evaluation_id ON evaluations (evaluation_id);
CREATE VIEW runs_flat AS
SELECT
    r.run_id, (SELECT group_concat(name, ',') FROM (SELECT s.name AS name FROM sweep_runs sr JOIN sweeps s ON s.id = sr.sweep_id WHERE sr.run_id = r.run_id ORDER BY s.id)) AS sweeps, r.state, r.model, r.scheme, r.depth, r.dataset,
    CASE json_type(r.config, '$.dataset.subset') WHEN 'integer' THEN json_extract(r.config, '$.dataset.subset') END AS dataset_subset, r.seed,
    r.alpha, r.beta, r.trainable, r.root_moduli, r.max_root_modulus, r.zero_stable,
    r.consistent, r."order", r.parameters,
    json_extract(r.config, '$.precision') AS precision, r.epochs,
    CASE json_type(r.config, '$.training.batch_size') WHEN 'integer' THEN json_extract(r.config, '$.training.batch_size') END AS batch_size,
    CASE WHEN json_type(r.config, '$.training.optimizer.lr') IN ('integer', 'real') THEN CAST(json_extract(r.config, '$.training.optimizer.lr') AS REAL) END AS learning_rate,
    CASE WHEN json_type(r.config, '$.training.optimizer.momentum') IN ('integer', 'real') THEN CAST(json_extract(r.config, '$.training.optimizer.momentum') AS REAL) END AS momentum,
    CASE WHEN json_type(r.config, '$.training.optimizer.weight_decay') IN ('integer', 'real') THEN CAST(json_extract(r.config, '$.training.optimizer.weight_decay') AS REAL) END AS weight_decay,
    r.test_accuracy, r.best_test_accuracy, r.best_epoch, r.train_accuracy, r.generalization_gap,
    r.test_loss, r.train_loss, r.diverged, r.diverged_epoch,
    r.train_seconds, r.images_per_second, r.attempt AS attempts,
    a.host, a.device, a.git_commit, r.weights_sha256, r.error,
    strftime('%Y-%m-%dT%H:%M:%fZ', r.created_at, 'unixepoch') AS created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', r.finished_at, 'unixepoch') AS finished_at
FROM runs r
LEFT JOIN attempts a ON a.run_id = r.run_id AND a.attempt = r.attempt;
CREATE VIEW evaluations_flat AS
SELECT
    e.run_id, e.evaluation_id, c.name AS evaluation, c.kind, c.level, e.accuracy, e.loss,
    r.test_accuracy - e.accuracy AS accuracy_lost,
    r.model, r.scheme, r.depth, r.dataset, r.seed, r.trainable, r.max_root_modulus,
    r.zero_stable, r.consistent, r."order", r.parameters, r.epochs, r.test_accuracy
FROM evaluations e
JOIN evaluation_configs c ON c.evaluation_id = e.evaluation_id
JOIN runs r ON r.run_id = e.run_id;
CREATE VIEW attempts_flat AS
SELECT
    a.run_id, a.attempt, a.state, a.fault, a.error,
    r.model, r.scheme, r.depth, r.dataset, r.seed, r.state AS run_state,
    a.host, a.device, a.git_commit, a.storage, a.first_epoch,
    d.host AS driver_host, d.pid AS driver_pid,
    strftime('%Y-%m-%dT%H:%M:%fZ', a.started_at, 'unixepoch') AS started_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', a.finished_at, 'unixepoch') AS finished_at,
    a.finished_at - a.started_at AS seconds
FROM attempts a
JOIN runs r ON r.run_id = a.run_id
LEFT JOIN drivers d ON d.id = a.driver_id;
COMMIT;
PRAGMA user_version = 3;
