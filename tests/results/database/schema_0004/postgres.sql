CREATE TABLE sweeps (
	id SERIAL NOT NULL, 
	name VARCHAR NOT NULL CONSTRAINT ck_sweeps_named CHECK (name <> ''), 
	created_at FLOAT NOT NULL, 
	updated_at FLOAT NOT NULL, 
	CONSTRAINT pk_sweeps PRIMARY KEY (id)
);
--
CREATE UNIQUE INDEX uq_sweeps_name ON sweeps (name);
--
CREATE TABLE evaluation_configs (
	evaluation_id VARCHAR(16) NOT NULL CONSTRAINT ck_evaluation_configs_id_length CHECK (length(evaluation_id) = 16), 
	name VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	level FLOAT, 
	config JSON NOT NULL, 
	CONSTRAINT pk_evaluation_configs PRIMARY KEY (evaluation_id)
);
--
CREATE TABLE runs (
	run_id VARCHAR(16) NOT NULL CONSTRAINT ck_runs_id_length CHECK (length(run_id) = 16), 
	config JSON NOT NULL, 
	model VARCHAR NOT NULL, 
	scheme VARCHAR NOT NULL, 
	depth INTEGER NOT NULL, 
	dataset VARCHAR NOT NULL, 
	seed BIGINT NOT NULL, 
	alpha JSON, 
	beta FLOAT, 
	trainable BOOLEAN NOT NULL, 
	root_moduli JSON, 
	max_root_modulus FLOAT, 
	zero_stable BOOLEAN, 
	consistent BOOLEAN, 
	"order" INTEGER, 
	parameters BIGINT NOT NULL CONSTRAINT ck_runs_counted CHECK (parameters >= 0), 
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
	CONSTRAINT ck_runs_finished_has_time CHECK ((state IN ('done', 'failed')) = (finished_at IS NOT NULL))
);
--
CREATE INDEX ix_runs_zero_stable_depth ON runs (zero_stable, depth);
--
CREATE INDEX ix_runs_finished_at ON runs (finished_at);
--
CREATE INDEX ix_runs_state ON runs (state);
--
CREATE INDEX ix_runs_dataset_model_depth ON runs (dataset, model, depth);
--
CREATE FUNCTION refuse_change_of_done_run() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a done run is final'; END $$;
--
CREATE TRIGGER done_is_final BEFORE UPDATE ON runs FOR EACH ROW WHEN (OLD.state = 'done') EXECUTE FUNCTION refuse_change_of_done_run();
--
CREATE TABLE drivers (
	id SERIAL NOT NULL, 
	host TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	started_at FLOAT NOT NULL, 
	lease_until FLOAT NOT NULL, 
	ended_at FLOAT, 
	CONSTRAINT pk_drivers PRIMARY KEY (id)
);
--
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
--
CREATE TABLE sweep_runs (
	sweep_id INTEGER NOT NULL, 
	run_id VARCHAR(16) NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_sweep_runs PRIMARY KEY (sweep_id, run_id), 
	CONSTRAINT fk_sweep_runs_sweep_id FOREIGN KEY(sweep_id) REFERENCES sweeps (id), 
	CONSTRAINT fk_sweep_runs_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id)
);
--
CREATE INDEX ix_sweep_runs_run_id ON sweep_runs (run_id);
--
CREATE UNIQUE INDEX uq_sweep_runs_position ON sweep_runs (sweep_id, position);
--
CREATE TABLE sweep_evaluations (
	sweep_id INTEGER NOT NULL, 
	evaluation_id VARCHAR(16) NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_sweep_evaluations PRIMARY KEY (sweep_id, evaluation_id), 
	CONSTRAINT fk_sweep_evaluations_sweep_id FOREIGN KEY(sweep_id) REFERENCES sweeps (id), 
	CONSTRAINT fk_sweep_evaluations_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluation_configs (evaluation_id)
);
--
CREATE UNIQUE INDEX uq_sweep_evaluations_position ON sweep_evaluations (sweep_id, position);
--
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
--
CREATE UNIQUE INDEX uq_attempts_running ON attempts (run_id) WHERE state = 'running';
--
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
);
--
CREATE TABLE evaluations (
	run_id VARCHAR(16) NOT NULL, 
	evaluation_id VARCHAR(16) NOT NULL, 
	accuracy FLOAT, 
	loss FLOAT, 
	CONSTRAINT pk_evaluations PRIMARY KEY (run_id, evaluation_id), 
	CONSTRAINT ck_evaluations_accuracy_percent CHECK (accuracy BETWEEN 0 AND 100), 
	CONSTRAINT fk_evaluations_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id), 
	CONSTRAINT fk_evaluations_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluation_configs (evaluation_id)
);
--
CREATE INDEX ix_evaluations_evaluation_id ON evaluations (evaluation_id);
--
CREATE TABLE probes (
	run_id VARCHAR(16) NOT NULL, 
	probe VARCHAR COLLATE "C" NOT NULL CONSTRAINT ck_probes_named CHECK (probe <> ''), 
	quantity VARCHAR COLLATE "C" NOT NULL CONSTRAINT ck_probes_quantity CHECK (quantity <> ''), 
	epoch INTEGER NOT NULL CONSTRAINT ck_probes_from_0 CHECK (epoch >= 0), 
	layer VARCHAR COLLATE "C" NOT NULL, 
	value FLOAT, 
	CONSTRAINT pk_probes PRIMARY KEY (run_id, probe, quantity, epoch, layer), 
	CONSTRAINT fk_probes_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id)
);
--
CREATE TABLE blocks (
	run_id VARCHAR(16) NOT NULL, 
	block INTEGER NOT NULL CONSTRAINT ck_blocks_from_1 CHECK (block >= 1), 
	alpha JSON NOT NULL, 
	beta FLOAT, 
	root_moduli JSON, 
	max_root_modulus FLOAT, 
	zero_stable BOOLEAN, 
	consistent BOOLEAN, 
	"order" INTEGER, 
	CONSTRAINT pk_blocks PRIMARY KEY (run_id, block), 
	CONSTRAINT fk_blocks_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id)
);
--
CREATE VIEW runs_flat AS
SELECT
    r.run_id, (SELECT string_agg(s.name, ',' ORDER BY s.id) FROM sweep_runs sr JOIN sweeps s ON s.id = sr.sweep_id WHERE sr.run_id = r.run_id) AS sweeps, r.state,
    r.model, r.scheme, r.depth, r.dataset, CASE WHEN json_typeof(r.config #> '{dataset,subset}') = 'number' AND r.config #>> '{dataset,subset}' ~ '^-?[0-9]{1,18}$' THEN CAST(r.config #>> '{dataset,subset}' AS bigint) END AS dataset_subset, r.seed, r.alpha, r.beta, r.trainable, r.root_moduli, r.max_root_modulus, r.zero_stable, r.consistent, r."order", r.parameters, r.config #>> '{precision}' AS precision, r.epochs, CASE WHEN json_typeof(r.config #> '{training,batch_size}') = 'number' AND r.config #>> '{training,batch_size}' ~ '^-?[0-9]{1,18}$' THEN CAST(r.config #>> '{training,batch_size}' AS bigint) END AS batch_size, CASE WHEN json_typeof(r.config #> '{training,optimizer,lr}') = 'number' THEN CAST(r.config #>> '{training,optimizer,lr}' AS double precision) END AS learning_rate, CASE WHEN json_typeof(r.config #> '{training,optimizer,momentum}') = 'number' THEN CAST(r.config #>> '{training,optimizer,momentum}' AS double precision) END AS momentum, CASE WHEN json_typeof(r.config #> '{training,optimizer,weight_decay}') = 'number' THEN CAST(r.config #>> '{training,optimizer,weight_decay}' AS double precision) END AS weight_decay,
    r.test_accuracy, r.best_test_accuracy, r.best_epoch, r.train_accuracy, r.generalization_gap, r.test_loss, r.train_loss, r.diverged, r.diverged_epoch, r.train_seconds, r.images_per_second,
    r.attempt AS attempts, a.host, a.device, a.git_commit,
    r.weights_sha256, r.error,
    to_timestamp(r.created_at) AS created_at,
    to_timestamp(r.finished_at) AS finished_at
FROM runs r
LEFT JOIN attempts a ON a.run_id = r.run_id AND a.attempt = r.attempt;
--
CREATE VIEW evaluations_flat AS
SELECT
    e.run_id, e.evaluation_id, c.name AS evaluation, c.kind, c.level, e.accuracy, e.loss,
    r.test_accuracy - e.accuracy AS accuracy_lost,
    r.model, r.scheme, r.depth, r.dataset, r.seed, r.trainable, r.max_root_modulus, r.zero_stable, r.consistent, r."order", r.parameters, r.epochs, r.test_accuracy
FROM evaluations e
JOIN evaluation_configs c ON c.evaluation_id = e.evaluation_id
JOIN runs r ON r.run_id = e.run_id;
--
CREATE VIEW attempts_flat AS
SELECT
    a.run_id, a.attempt, a.state, a.fault, a.error,
    r.model, r.scheme, r.depth, r.dataset, r.seed, r.state AS run_state,
    a.host, a.device, a.git_commit, a.storage, a.first_epoch,
    d.host AS driver_host, d.pid AS driver_pid,
    to_timestamp(a.started_at) AS started_at,
    to_timestamp(a.finished_at) AS finished_at,
    a.finished_at - a.started_at AS seconds
FROM attempts a
JOIN runs r ON r.run_id = a.run_id
LEFT JOIN drivers d ON d.id = a.driver_id;
--
CREATE VIEW probes_flat AS
SELECT
    p.run_id, p.probe, p.quantity, p.epoch, p.layer, p.value,
    r.model, r.scheme, r.depth, r.dataset, r.seed, r.trainable, r.max_root_modulus, r.zero_stable, r.consistent, r."order", r.parameters, r.epochs, r.diverged, r.test_accuracy
FROM probes p
JOIN runs r ON r.run_id = p.run_id;
--
CREATE VIEW blocks_flat AS
SELECT
    b.run_id, b.block, b.alpha, b.beta, b.root_moduli, b.max_root_modulus, b.zero_stable, b.consistent, b."order",
    r.model, r.scheme, r.depth, r.dataset, r.seed, r.parameters, r.epochs, r.diverged, r.test_accuracy
FROM blocks b
JOIN runs r ON r.run_id = b.run_id;
--
CREATE TABLE sweep_schema (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT sweep_schema_pkc PRIMARY KEY (version_num)
);
--
INSERT INTO sweep_schema VALUES ('0004');
