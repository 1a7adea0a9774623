-- A database with schema 0002 as its version left it: a sweep of two runs, and one run in every state.
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
	CONSTRAINT pk_attempts PRIMARY KEY (run_id, attempt), 
	CONSTRAINT ck_attempts_state CHECK (state IN ('running', 'done', 'failed', 'lost', 'interrupted')), 
	CONSTRAINT ck_attempts_finished_has_time CHECK ((state = 'running') = (finished_at IS NULL)), 
	CONSTRAINT fk_attempts_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id)
);
INSERT INTO "attempts" VALUES('236441ae7773ce12',1,'done',1.79526440210170102123e+09,1.79526441495115900038e+09,1,NULL,NULL,'{"driver_host":"node-1","driver_pid":27949,"host":"node-1","pid":27949,"device":"cpu","device_name":"x86_64","threads":1,"python":"3.11.7","torch":"2.15.0+cu132","numpy":"2.4.6","git_commit":"b8c523ccbf9e6714fa163775c59bed5175e8d2d7","started_at":1795264410.761441,"finished_at":1795264414.9460921,"first_epoch":1}','node-1','cpu','b8c523ccbf9e6714fa163775c59bed5175e8d2d7');
INSERT INTO "attempts" VALUES('858239900d907f75',1,'done',1.79526441495824337006e+09,1.79526441693474936482e+09,1,NULL,NULL,'{"driver_host":"node-1","driver_pid":27949,"host":"node-1","pid":27949,"device":"cpu","device_name":"x86_64","threads":1,"python":"3.11.7","torch":"2.15.0+cu132","numpy":"2.4.6","git_commit":"b8c523ccbf9e6714fa163775c59bed5175e8d2d7","started_at":1795264414.9599597,"finished_at":1795264416.9272954,"first_epoch":1}','node-1','cpu','b8c523ccbf9e6714fa163775c59bed5175e8d2d7');
INSERT INTO "attempts" VALUES('0101010101010101',1,'failed',1.79526445440485072141e+09,1.79526445440733075148e+09,NULL,'ValueError: a shape «8×8» that is not','Traceback (most recent call last):
  ...
ValueError: a shape
  «8×8» that is not
','{"driver_host":"head-1","driver_pid":2042}',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('0202020202020202',1,'running',1.795264454410094738e+09,NULL,NULL,NULL,NULL,'{"driver_host":"head-1","driver_pid":2042}',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('0303030303030303',1,'lost',1.79526445441126799584e+09,1.795264454412266016e+09,NULL,'RayActorError: the worker died',NULL,'{"driver_host":"head-1","driver_pid":2042}',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('0303030303030303',2,'interrupted',1.79526445441883039473e+09,1.79526445442021322248e+09,NULL,'stopped by a signal',NULL,'{"driver_host":"head-1","driver_pid":2042}',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('0404040404040404',1,'lost',1.79526445442103695874e+09,1.79526445442206478118e+09,NULL,'RayActorError: the worker died',NULL,'{"driver_host":"head-1","driver_pid":2042}',NULL,NULL,NULL);
INSERT INTO "attempts" VALUES('0404040404040404',2,'done',1.79526445442294692996e+09,1.79526445442397832863e+09,2,NULL,NULL,'{"driver_host":"head-1","driver_pid":2042,"host":"node-2","pid":7,"device":"cuda","device_name":"NVIDIA H100","python":"3.11.7","torch":"2.15.0","git_commit":null,"first_epoch":2}','node-2','cuda',NULL);
INSERT INTO "attempts" VALUES('0606060606060606',1,'failed',1.79526445443232226368e+09,1.79526445443352484707e+09,NULL,'broken',NULL,'{"driver_host":"head-1","driver_pid":2042}',NULL,NULL,NULL);
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
INSERT INTO "epochs" VALUES('0404040404040404',1,0.1,1.0,40.0,1.1,31.5,1.25);
INSERT INTO "epochs" VALUES('0404040404040404',2,0.1,0.5,40.0,1.1,15.75,1.25);
INSERT INTO "epochs" VALUES('236441ae7773ce12',1,0.1,2.25348955755888180618e+00,1.7579028527370855528e+01,3.12423777580261230468e+00,9.8,6.20716655001160688698e-01);
INSERT INTO "epochs" VALUES('236441ae7773ce12',2,1.00000000000000019428e-02,1.93018081588936296633e+00,4.10177332305319950487e+01,1.75297391414642333984e+00,51.4,5.2213992700126254931e-01);
INSERT INTO "epochs" VALUES('236441ae7773ce12',3,1.00000000000000023765e-03,1.83137415194382735528e+00,4.91904394757131839793e+01,1.69862604141235351562e+00,62.6,4.38297020999016240239e-01);
INSERT INTO "epochs" VALUES('858239900d907f75',1,0.1,2.2508873240986324582e+00,1.83500385505011571751e+01,2.20848345756530761718e+00,11.6,4.62237604999245377257e-01);
INSERT INTO "epochs" VALUES('858239900d907f75',2,1.00000000000000019428e-02,1.92980864053518841316e+00,4.01696222050886646553e+01,1.78405070304870605468e+00,62.2,5.45359915000517503358e-01);
INSERT INTO "epochs" VALUES('858239900d907f75',3,1.00000000000000023765e-03,1.83537196929214,4.95759444872783348054e+01,1.74219536781311035156e+00,62.6,5.57557641999665065668e-01);
CREATE TABLE evaluation_configs (
	evaluation_id VARCHAR(16) NOT NULL CONSTRAINT ck_evaluation_configs_id_length CHECK (length(evaluation_id) = 16), 
	name VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	level FLOAT, 
	config JSON NOT NULL, 
	CONSTRAINT pk_evaluation_configs PRIMARY KEY (evaluation_id)
);
INSERT INTO "evaluation_configs" VALUES('dfe8a34bc6e17396','gaussian[0.2]','gaussian',0.2,'{"noise":"gaussian","std":0.2,"seed":1}');
INSERT INTO "evaluation_configs" VALUES('9fe0606ef883bd2c','constant[0.3]','constant',0.3,'{"noise":"constant","value":0.3}');
INSERT INTO "evaluation_configs" VALUES('eeeeeeeeeeeeeeee','gaussian[0.3]@é','gaussian',0.3,'{"noise":"gaussian","std":0.3,"seed":7}');
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
INSERT INTO "evaluations" VALUES('0404040404040404','eeeeeeeeeeeeeeee',10.0,NULL);
INSERT INTO "evaluations" VALUES('236441ae7773ce12','9fe0606ef883bd2c',53.8,1.91485524177551269531e+00);
INSERT INTO "evaluations" VALUES('236441ae7773ce12','dfe8a34bc6e17396',58.8,1.83327984809875488281e+00);
INSERT INTO "evaluations" VALUES('858239900d907f75','9fe0606ef883bd2c',32.4,2.07499575614929199218e+00);
INSERT INTO "evaluations" VALUES('858239900d907f75','dfe8a34bc6e17396',52.6,1.91538000106811523437e+00);
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
INSERT INTO "runs" VALUES('236441ae7773ce12','{"recipe_version":1,"trainer":"trainers.train:train","model":{"name":"zerosnet","depth":20,"width":16,"stage_change":"project","start_blocks":2},"scheme":{"alpha":[0.3333333333333333,0.5555555555555556,0.1111111111111111],"beta":1.7777777777777777},"dataset":{"name":"digits","crop_padding":1,"horizontal_flip":false},"training":{"epochs":3,"batch_size":128,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001,"nesterov":false},"lr_schedule":{"name":"step","milestones":[1.0,2.0],"gamma":0.1}},"precision":"fp32","seed":0}','zerosnet','1/3, 5/9, 1/9; 16/9',20,'digits',0,'[0.3333333333333333,0.5555555555555556,0.1111111111111111]',1.77777777777777767909e+00,0,'[1.0,0.3333333333333333,0.3333333333333333]',1.0,1,1,2,277114,3,'done',1,62.6,62.6,3,4.91904394757131839793e+01,-1.34095605242868174398e+01,1.83137415194382735528e+00,1.69862604141235351562e+00,0,NULL,1.58115360300143947824e+00,2.46086148278944756378e+03,'f14abd99cdeb780b1a745f129e42c71b1fb56f04c55c0fc8e1774be2f625a6bd',NULL,NULL,1.79526440205281496041e+09,1.79526441495115900038e+09);
INSERT INTO "runs" VALUES('858239900d907f75','{"recipe_version":1,"trainer":"trainers.train:train","model":{"name":"zerosnet","depth":20,"width":16,"stage_change":"project","start_blocks":2},"scheme":{"alpha":[0.825,-0.1,0.275],"beta":1.45},"dataset":{"name":"digits","crop_padding":1,"horizontal_flip":false},"training":{"epochs":3,"batch_size":128,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001,"nesterov":false},"lr_schedule":{"name":"step","milestones":[1.0,2.0],"gamma":0.1}},"precision":"fp32","seed":0}','zerosnet','0.825, -0.1, 0.275; 1.45',20,'digits',0,'[0.825,-0.1,0.275]',1.45,0,'[1.0,0.5244044240850758,0.5244044240850758]',1.0,1,1,2,277114,3,'done',1,62.6,62.6,3,4.95759444872783348054e+01,-1.30240555127216666169e+01,1.83537196929214,1.74219536781311035156e+00,0,NULL,1.56515516199942794628e+00,2.48601550470522761316e+03,'9504339d80594a993c40748e9c194906f6180cee696894228c58d49ef38e3d1f',NULL,NULL,1.79526440205281496041e+09,1.79526441693474936482e+09);
INSERT INTO "runs" VALUES('0101010101010101','{"seed":1,"model":{"name":"preresnet","depth":20},"dataset":{"name":"digits","subset":100},"precision":"fp32","training":{"epochs":2,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001}}}','preresnet','1; 1',20,'digits',1,'[1.0]',1.0,0,'[1.0]',1.0,1,1,1,272282,2,'failed',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'ValueError: a shape «8×8» that is not',1.79526445437900519373e+09,1.79526445440733075148e+09);
INSERT INTO "runs" VALUES('0202020202020202','{"seed":2,"model":{"name":"preresnet","depth":20},"dataset":{"name":"digits","subset":100},"precision":"fp32","training":{"epochs":2,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001}}}','preresnet','1; 1',20,'digits',2,'[1.0]',1.0,0,'[1.0]',1.0,1,1,1,272282,2,'running',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79526445437900519373e+09,NULL);
INSERT INTO "runs" VALUES('0303030303030303','{"seed":3,"model":{"name":"preresnet","depth":20},"dataset":{"name":"digits","subset":100},"precision":"fp32","training":{"epochs":2,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001}}}','preresnet','1; 1',20,'digits',3,'[1.0]',1.0,0,'[1.0]',1.0,1,1,1,272282,2,'queued',2,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79526445437900519373e+09,NULL);
INSERT INTO "runs" VALUES('0404040404040404','{"seed":4,"model":{"name":"preresnet","depth":20},"dataset":{"name":"digits","subset":100},"precision":"fp32","training":{"epochs":2,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001}}}','preresnet','1; 1',20,'digits',4,'[1.0]',1.0,0,'[1.0]',1.0,1,1,1,272282,2,'done',2,NULL,31.5,1,NULL,NULL,NULL,NULL,1,2,2.5,1200.0,'abababababababababababababababababababababababababababababababab','[[0.5,0.5]]',NULL,1.79526445437900519373e+09,1.79526445442397832863e+09);
INSERT INTO "runs" VALUES('0505050505050505','{"seed":5,"model":{"name":"preresnet","depth":20},"dataset":{"name":"digits","subset":100},"precision":"fp32","training":{"epochs":2,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001}}}','preresnet','1; 1',20,'digits',5,'[1.0]',1.0,0,'[1.0]',1.0,1,1,1,272282,2,'cancelled',0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79526445437900519373e+09,NULL);
INSERT INTO "runs" VALUES('0606060606060606','{"seed":6,"model":{"name":"preresnet","depth":20},"dataset":{"name":"digits","subset":100},"precision":"fp32","training":{"epochs":2,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001}}}','preresnet','1; 1',20,'digits',6,'[1.0]',1.0,0,'[1.0]',1.0,1,1,1,272282,2,'failed',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'broken',1.79526445437900519373e+09,1.79526445443352484707e+09);
INSERT INTO "runs" VALUES('0707070707070707','{"seed":7,"model":{"name":"preresnet","depth":20},"dataset":{"name":"digits","subset":100},"precision":"fp32","training":{"epochs":2,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001}}}','preresnet','1; 1',20,'digits',7,'[1.0]',1.0,0,'[1.0]',1.0,1,1,1,272282,2,'queued',0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79526445437900519373e+09,NULL);
CREATE TABLE sweep_evaluations (
	sweep_id INTEGER NOT NULL, 
	evaluation_id VARCHAR(16) NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_sweep_evaluations PRIMARY KEY (sweep_id, evaluation_id), 
	CONSTRAINT fk_sweep_evaluations_sweep_id FOREIGN KEY(sweep_id) REFERENCES sweeps (id), 
	CONSTRAINT fk_sweep_evaluations_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluation_configs (evaluation_id)
);
INSERT INTO "sweep_evaluations" VALUES(1,'dfe8a34bc6e17396',0);
INSERT INTO "sweep_evaluations" VALUES(1,'9fe0606ef883bd2c',1);
INSERT INTO "sweep_evaluations" VALUES(2,'eeeeeeeeeeeeeeee',0);
CREATE TABLE sweep_runs (
	sweep_id INTEGER NOT NULL, 
	run_id VARCHAR(16) NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_sweep_runs PRIMARY KEY (sweep_id, run_id), 
	CONSTRAINT fk_sweep_runs_sweep_id FOREIGN KEY(sweep_id) REFERENCES sweeps (id), 
	CONSTRAINT fk_sweep_runs_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id)
);
INSERT INTO "sweep_runs" VALUES(1,'236441ae7773ce12',0);
INSERT INTO "sweep_runs" VALUES(1,'858239900d907f75',1);
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
INSERT INTO "sweep_schema" VALUES('0002');
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
INSERT INTO "sweep_specs" VALUES(1,1,'# Two of the quickstart''s networks, for a few epochs.
name: two
published: zerosnet/table10
model: zerosnet
dataset: digits
training:
  epochs: 3
grid:
  scheme:
    - {alpha: [1/3, 5/9, 1/9], beta: 16/9}
    - {lambda: 10}
  depth: [20]
  seed: [0]
evaluations:
  - {noise: gaussian, std: 0.2}
  - {noise: constant, value: 0.3}
','two.yaml','[]',NULL,1.79526440205281496041e+09,'zerosnet/table10');
INSERT INTO "sweep_specs" VALUES(2,1,'name: states
# «été»
','states.yaml','["training.epochs=2"]','a run in every state',1.79526445437900519373e+09,'zerosnet/table3');
INSERT INTO "sweep_specs" VALUES(2,2,'name: states
# shorter
','states.yaml','[]',NULL,1.7952644544011716843e+09,NULL);
CREATE TABLE sweeps (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL CONSTRAINT ck_sweeps_named CHECK (name <> ''), 
	created_at FLOAT NOT NULL, 
	updated_at FLOAT NOT NULL, 
	CONSTRAINT pk_sweeps PRIMARY KEY (id)
);
INSERT INTO "sweeps" VALUES(1,'two',1.79526440205281496041e+09,1.79526440205281496041e+09);
INSERT INTO "sweeps" VALUES(2,'states',1.79526445437900519373e+09,1.7952644544011716843e+09);
CREATE UNIQUE INDEX uq_sweeps_name ON sweeps (name);
CREATE INDEX ix_runs_dataset_model_depth ON runs (dataset, model, depth);
CREATE INDEX ix_runs_zero_stable_depth ON runs (zero_stable, depth);
CREATE INDEX ix_runs_finished_at ON runs (finished_at);
CREATE INDEX ix_runs_state ON runs (state);
CREATE TRIGGER done_is_final BEFORE UPDATE ON runs WHEN OLD.state = 'done' BEGIN SELECT RAISE(ABORT, 'a done run is final'); END;
CREATE INDEX ix_sweep_runs_run_id ON sweep_runs (run_id);
CREATE UNIQUE INDEX uq_sweep_runs_position ON sweep_runs (sweep_id, position);
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
    strftime('%Y-%m-%dT%H:%M:%fZ', r.created_at, 'unixepoch') AS created_at, strftime('%Y-%m-%dT%H:%M:%fZ', r.finished_at, 'unixepoch') AS finished_at
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
COMMIT;
PRAGMA user_version = 2;
