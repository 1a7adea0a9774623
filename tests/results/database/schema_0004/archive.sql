CREATE TABLE sweeps (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL CONSTRAINT ck_sweeps_named CHECK (name <> ''), 
	created_at FLOAT NOT NULL, 
	updated_at FLOAT NOT NULL, 
	CONSTRAINT pk_sweeps PRIMARY KEY (id)
);
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
--
CREATE TABLE drivers (
	id INTEGER NOT NULL, 
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
CREATE TABLE sweep_evaluations (
	sweep_id INTEGER NOT NULL, 
	evaluation_id VARCHAR(16) NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_sweep_evaluations PRIMARY KEY (sweep_id, evaluation_id), 
	CONSTRAINT fk_sweep_evaluations_sweep_id FOREIGN KEY(sweep_id) REFERENCES sweeps (id), 
	CONSTRAINT fk_sweep_evaluations_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluation_configs (evaluation_id)
);
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
)
 WITHOUT ROWID

;
--
CREATE TABLE probes (
	run_id VARCHAR(16) NOT NULL, 
	probe VARCHAR NOT NULL CONSTRAINT ck_probes_named CHECK (probe <> ''), 
	quantity VARCHAR NOT NULL CONSTRAINT ck_probes_quantity CHECK (quantity <> ''), 
	epoch INTEGER NOT NULL CONSTRAINT ck_probes_from_0 CHECK (epoch >= 0), 
	layer VARCHAR NOT NULL, 
	value FLOAT, 
	CONSTRAINT pk_probes PRIMARY KEY (run_id, probe, quantity, epoch, layer), 
	CONSTRAINT fk_probes_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id)
)
 WITHOUT ROWID

;
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
	CONSTRAINT fk_blocks_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id), 
	CONSTRAINT ck_blocks_zero_stable_flag CHECK (zero_stable IN (0, 1)), 
	CONSTRAINT ck_blocks_consistent_flag CHECK (consistent IN (0, 1))
)
 WITHOUT ROWID

;
--
CREATE TABLE sweep_schema (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT sweep_schema_pkc PRIMARY KEY (version_num)
);
--
CREATE TABLE sweep_archive (
	created_at FLOAT NOT NULL, 
	content_sha256 VARCHAR NOT NULL
);
--
INSERT INTO "sweeps" VALUES (1, 'ours', 1795985418.5772388, 1795985418.5772388);
--
INSERT INTO "sweeps" VALUES (2, 'theirs', 1795985440.8901696, 1795985440.8901696);
--
INSERT INTO "evaluation_configs" VALUES ('9fe0606ef883bd2c', 'constant[0.3]', 'constant', 0.3, '{"noise":"constant","value":0.3}');
--
INSERT INTO "evaluation_configs" VALUES ('dfe8a34bc6e17396', 'gaussian[0.2]', 'gaussian', 0.2, '{"noise":"gaussian","std":0.2,"seed":1}');
--
INSERT INTO "runs" VALUES ('217dc6c764c63e4a', '{"recipe_version":1,"trainer":"trainers.train:train","model":{"name":"zerosnet","depth":8,"width":16,"stage_change":"project","start_blocks":2},"scheme":{"learned":"coefficients","alpha":[0.3333333333333333,0.5555555555555556,0.1111111111111111],"beta":1.7777777777777777},"dataset":{"name":"digits","subset":64,"crop_padding":1,"horizontal_flip":false},"training":{"epochs":1,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001,"nesterov":false},"lr_schedule":{"name":"step","milestones":[1.0,1.0],"gamma":0.1}},"precision":"fp32","seed":0}', 'zerosnet', 'learned from 1/3, 5/9, 1/9; 16/9', 8, 'digits', 0, '[0.3333333333333333,0.5555555555555556,0.1111111111111111]', 1.7777777777777777, 1, NULL, NULL, NULL, NULL, NULL, 82174, 1, 'done', 1, 9.4, 9.4, 1, 6.25, -3.1500000000000004, 2.373439311981201, 2.3124420642852783, 0, NULL, 0.02264093200210482, 2826.738757664668, 'fc2908bcc982bf23094ebaf40d751dd8a3f91a8cc13fc3c54699a670b481c6ec', '[[0.33524054288864136,0.5565515160560608,0.11040480434894562,1.7771328687667847]]', NULL, 1795985440.8901696, 1795985441.3352354, 0);
--
INSERT INTO "runs" VALUES ('5588c25feca2232d', '{"recipe_version":1,"trainer":"trainers.train:train","model":{"name":"zerosnet","depth":8,"width":16,"stage_change":"project","start_blocks":2},"scheme":{"alpha":[1.0,1.0,1.0],"beta":1.0},"dataset":{"name":"digits","subset":64,"crop_padding":1,"horizontal_flip":false},"training":{"epochs":1,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001,"nesterov":false},"lr_schedule":{"name":"step","milestones":[1.0,1.0],"gamma":0.1}},"precision":"fp32","seed":0}', 'zerosnet', '1, 1, 1; 1', 8, 'digits', 0, '[1.0,1.0,1.0]', 1.0, 0, '[1.839286755214161,0.737352705760328,0.737352705760328]', 1.839286755214161, 0, 0, -1, 82170, 1, 'done', 1, 12.8, 12.8, 1, 7.8125, -4.987500000000001, 2.3666892051696777, 2.3182356357574463, 0, NULL, 0.0470574239952839, 1360.040447739215, 'acc714fb33500a50d677bc2e7462628591432ba57fd24401c32641272099092b', NULL, NULL, 1795985440.8901696, 1795985441.147196, 0);
--
INSERT INTO "runs" VALUES ('94904eeb65ff78de', '{"recipe_version":1,"trainer":"trainers.train:train","model":{"name":"zerosnet","depth":8,"width":16,"stage_change":"project","start_blocks":2},"scheme":{"alpha":[1.0,1.0,1.0],"beta":1.0},"dataset":{"name":"digits","subset":64,"crop_padding":1,"horizontal_flip":false},"training":{"epochs":1,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001,"nesterov":false},"lr_schedule":{"name":"step","milestones":[1.0,1.0],"gamma":0.1}},"precision":"fp32","probes":[{"probe":"feature_norms","every":1,"images":256}],"seed":0}', 'zerosnet', '1, 1, 1; 1', 8, 'digits', 0, '[1.0,1.0,1.0]', 1.0, 0, '[1.839286755214161,0.737352705760328,0.737352705760328]', 1.839286755214161, 0, 0, -1, 82170, 1, 'done', 1, 12.8, 12.8, 1, 7.8125, -4.987500000000001, 2.3666892051696777, 2.3182356357574463, 0, NULL, 0.032644423001329415, 1960.5186465508568, 'acc714fb33500a50d677bc2e7462628591432ba57fd24401c32641272099092b', NULL, NULL, 1795985418.5772388, 1795985418.8547437, 0);
--
INSERT INTO "runs" VALUES ('a41ac7bf98d0dd02', '{"recipe_version":1,"trainer":"trainers.train:train","model":{"name":"zerosnet","depth":8,"width":16,"stage_change":"project","start_blocks":2},"scheme":{"learned":"coefficients","alpha":[0.3333333333333333,0.5555555555555556,0.1111111111111111],"beta":1.7777777777777777},"dataset":{"name":"digits","subset":64,"crop_padding":1,"horizontal_flip":false},"training":{"epochs":1,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001,"nesterov":false},"lr_schedule":{"name":"step","milestones":[1.0,1.0],"gamma":0.1}},"precision":"fp32","probes":[{"probe":"feature_norms","every":1,"images":256}],"seed":0}', 'zerosnet', 'learned from 1/3, 5/9, 1/9; 16/9', 8, 'digits', 0, '[0.3333333333333333,0.5555555555555556,0.1111111111111111]', 1.7777777777777777, 1, NULL, NULL, NULL, NULL, NULL, 82174, 1, 'done', 1, 9.4, 9.4, 1, 6.25, -3.1500000000000004, 2.373439311981201, 2.3124420642852783, 0, NULL, 0.009284462001232896, 6893.237323982947, 'fc2908bcc982bf23094ebaf40d751dd8a3f91a8cc13fc3c54699a670b481c6ec', '[[0.33524054288864136,0.5565515160560608,0.11040480434894562,1.7771328687667847]]', NULL, 1795985418.5772388, 1795985419.0541115, 0);
--
INSERT INTO "runs" VALUES ('b4125d193b3dc72b', '{"recipe_version":1,"trainer":"trainers.train:train","model":{"name":"zerosnet","depth":8,"width":16,"stage_change":"project","start_blocks":2},"scheme":{"alpha":[1.0,1.0,1.0],"beta":1.0},"dataset":{"name":"digits","subset":64,"crop_padding":1,"horizontal_flip":false},"training":{"epochs":1,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001,"nesterov":false},"lr_schedule":{"name":"step","milestones":[1.0,1.0],"gamma":0.1}},"precision":"fp32","probes":[{"probe":"feature_norms","every":1,"images":256}],"seed":1}', 'zerosnet', '1, 1, 1; 1', 8, 'digits', 1, '[1.0,1.0,1.0]', 1.0, 0, '[1.839286755214161,0.737352705760328,0.737352705760328]', 1.839286755214161, 0, 0, -1, 82170, 1, 'done', 1, 10.2, 10.2, 1, 15.625, 5.425000000000001, 2.315739154815674, 2.2987565994262695, 0, NULL, 0.00938861599570373, 6816.766180370639, '71b99ffb36909035e398127b8503ce7dfe7f50e1853ce65e06154606bef60b67', NULL, NULL, 1795985418.5772388, 1795985418.9552925, 0);
--
INSERT INTO "runs" VALUES ('e14a88116d74bc57', '{"recipe_version":1,"trainer":"trainers.train:train","model":{"name":"zerosnet","depth":8,"width":16,"stage_change":"project","start_blocks":2},"scheme":{"learned":"coefficients","alpha":[0.3333333333333333,0.5555555555555556,0.1111111111111111],"beta":1.7777777777777777},"dataset":{"name":"digits","subset":64,"crop_padding":1,"horizontal_flip":false},"training":{"epochs":1,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001,"nesterov":false},"lr_schedule":{"name":"step","milestones":[1.0,1.0],"gamma":0.1}},"precision":"fp32","probes":[{"probe":"feature_norms","every":1,"images":256}],"seed":1}', 'zerosnet', 'learned from 1/3, 5/9, 1/9; 16/9', 8, 'digits', 1, '[0.3333333333333333,0.5555555555555556,0.1111111111111111]', 1.7777777777777777, 1, NULL, NULL, NULL, NULL, NULL, 82174, 1, 'done', 1, 10.8, 10.8, 1, 12.5, 1.6999999999999993, 2.3329129219055176, 2.29911470413208, 0, NULL, 0.013875741999072488, 4612.36595522445, '9af586fb2a3aa44577715df91aa341a8f2d16604d925fd61fec8b349079513ed', '[[0.3357614576816559,0.5560508370399475,0.11101807653903961,1.7771533727645874]]', NULL, 1795985418.5772388, 1795985419.1738672, 0);
--
INSERT INTO "sweep_specs" VALUES (1, 1, 'name: ours
model: zerosnet
depth: 8
dataset: {name: digits, subset: 64}
training: {epochs: 1, batch_size: 64, optimizer: {name: sgd, lr: 0.1}}
grid:
  scheme:
    - {alpha: [1, 1, 1], beta: 1}
    - {alpha: [1/3, 5/9, 1/9], beta: 16/9, trainable: true}
  seed: [0, 1]
evaluations:
  - {noise: gaussian, std: 0.2}
  - {noise: constant, value: 0.3}
probes: [feature_norms]
', 'ours.yaml', '[]', NULL, 1795985418.5772388, NULL);
--
INSERT INTO "sweep_specs" VALUES (2, 1, 'name: theirs
model: zerosnet
depth: 8
dataset: {name: digits, subset: 64}
training: {epochs: 1, batch_size: 64, optimizer: {name: sgd, lr: 0.1}}
grid:
  scheme:
    - {alpha: [1, 1, 1], beta: 1}
    - {alpha: [1/3, 5/9, 1/9], beta: 16/9, trainable: true}
  seed: [0]
evaluations:
  - {noise: gaussian, std: 0.2}
', 'theirs.yaml', '[]', NULL, 1795985440.8901696, NULL);
--
INSERT INTO "sweep_runs" VALUES (1, '94904eeb65ff78de', 0);
--
INSERT INTO "sweep_runs" VALUES (1, 'a41ac7bf98d0dd02', 2);
--
INSERT INTO "sweep_runs" VALUES (1, 'b4125d193b3dc72b', 1);
--
INSERT INTO "sweep_runs" VALUES (1, 'e14a88116d74bc57', 3);
--
INSERT INTO "sweep_runs" VALUES (2, '217dc6c764c63e4a', 1);
--
INSERT INTO "sweep_runs" VALUES (2, '5588c25feca2232d', 0);
--
INSERT INTO "sweep_evaluations" VALUES (1, '9fe0606ef883bd2c', 1);
--
INSERT INTO "sweep_evaluations" VALUES (1, 'dfe8a34bc6e17396', 0);
--
INSERT INTO "sweep_evaluations" VALUES (2, 'dfe8a34bc6e17396', 0);
--
INSERT INTO "attempts" VALUES ('217dc6c764c63e4a', 1, 'done', 1795985441.1361501, 1795985441.3352354, 1, NULL, NULL, '{"driver_host":"node-1","driver_pid":30579,"host":"node-1","pid":30579,"device":"cpu","device_name":"x86_64","threads":1,"python":"3.11.7","torch":"2.15.0+cu132","numpy":"2.4.6","git_commit":"a8e45230b47951fd9017ce5fdaaf83729f56abe4","started_at":1795985441.168464,"finished_at":1795985441.3145638,"first_epoch":1}', 'node-1', 'cpu', 'a8e45230b47951fd9017ce5fdaaf83729f56abe4', NULL, NULL, '/home/theirs/runs');
--
INSERT INTO "attempts" VALUES ('5588c25feca2232d', 1, 'done', 1795985440.9415448, 1795985441.147196, 1, NULL, NULL, '{"driver_host":"node-1","driver_pid":30579,"host":"node-1","pid":30579,"device":"cpu","device_name":"x86_64","threads":1,"python":"3.11.7","torch":"2.15.0+cu132","numpy":"2.4.6","git_commit":"a8e45230b47951fd9017ce5fdaaf83729f56abe4","started_at":1795985440.9536576,"finished_at":1795985441.1245732,"first_epoch":1}', 'node-1', 'cpu', 'a8e45230b47951fd9017ce5fdaaf83729f56abe4', NULL, NULL, '/home/theirs/runs');
--
INSERT INTO "attempts" VALUES ('94904eeb65ff78de', 1, 'done', 1795985418.6124616, 1795985418.8547437, 1, NULL, NULL, '{"driver_host":"node-1","driver_pid":30325,"host":"node-1","pid":30325,"device":"cpu","device_name":"x86_64","threads":1,"python":"3.11.7","torch":"2.15.0+cu132","numpy":"2.4.6","git_commit":"a8e45230b47951fd9017ce5fdaaf83729f56abe4","started_at":1795985418.6209269,"finished_at":1795985418.850927,"first_epoch":1}', 'node-1', 'cpu', 'a8e45230b47951fd9017ce5fdaaf83729f56abe4', NULL, NULL, '/home/ours/runs');
--
INSERT INTO "attempts" VALUES ('a41ac7bf98d0dd02', 1, 'done', 1795985418.9532971, 1795985419.0541115, 1, NULL, NULL, '{"driver_host":"node-1","driver_pid":30325,"host":"node-1","pid":30325,"device":"cpu","device_name":"x86_64","threads":1,"python":"3.11.7","torch":"2.15.0+cu132","numpy":"2.4.6","git_commit":"a8e45230b47951fd9017ce5fdaaf83729f56abe4","started_at":1795985418.9574423,"finished_at":1795985419.0503225,"first_epoch":1}', 'node-1', 'cpu', 'a8e45230b47951fd9017ce5fdaaf83729f56abe4', NULL, NULL, '/home/ours/runs');
--
INSERT INTO "attempts" VALUES ('b4125d193b3dc72b', 1, 'done', 1795985418.8526914, 1795985418.9552925, 1, NULL, NULL, '{"driver_host":"node-1","driver_pid":30325,"host":"node-1","pid":30325,"device":"cpu","device_name":"x86_64","threads":1,"python":"3.11.7","torch":"2.15.0+cu132","numpy":"2.4.6","git_commit":"a8e45230b47951fd9017ce5fdaaf83729f56abe4","started_at":1795985418.8595958,"finished_at":1795985418.9516068,"first_epoch":1}', 'node-1', 'cpu', 'a8e45230b47951fd9017ce5fdaaf83729f56abe4', NULL, NULL, '/home/ours/runs');
--
INSERT INTO "attempts" VALUES ('e14a88116d74bc57', 1, 'done', 1795985419.0521832, 1795985419.1738672, 1, NULL, NULL, '{"driver_host":"node-1","driver_pid":30325,"host":"node-1","pid":30325,"device":"cpu","device_name":"x86_64","threads":1,"python":"3.11.7","torch":"2.15.0+cu132","numpy":"2.4.6","git_commit":"a8e45230b47951fd9017ce5fdaaf83729f56abe4","started_at":1795985419.0641336,"finished_at":1795985419.172105,"first_epoch":1}', 'node-1', 'cpu', 'a8e45230b47951fd9017ce5fdaaf83729f56abe4', NULL, NULL, '/home/ours/runs');
--
INSERT INTO "epochs" VALUES ('217dc6c764c63e4a', 1, 0.1, 2.373439311981201, 6.25, 2.3124420642852783, 9.4, 0.02264093200210482);
--
INSERT INTO "epochs" VALUES ('5588c25feca2232d', 1, 0.1, 2.3666892051696777, 7.8125, 2.3182356357574463, 12.8, 0.0470574239952839);
--
INSERT INTO "epochs" VALUES ('94904eeb65ff78de', 1, 0.1, 2.3666892051696777, 7.8125, 2.3182356357574463, 12.8, 0.032644423001329415);
--
INSERT INTO "epochs" VALUES ('a41ac7bf98d0dd02', 1, 0.1, 2.373439311981201, 6.25, 2.3124420642852783, 9.4, 0.009284462001232896);
--
INSERT INTO "epochs" VALUES ('b4125d193b3dc72b', 1, 0.1, 2.315739154815674, 15.625, 2.2987565994262695, 10.2, 0.00938861599570373);
--
INSERT INTO "epochs" VALUES ('e14a88116d74bc57', 1, 0.1, 2.3329129219055176, 12.5, 2.29911470413208, 10.8, 0.013875741999072488);
--
INSERT INTO "evaluations" VALUES ('217dc6c764c63e4a', 'dfe8a34bc6e17396', 9.6, 2.311013698577881);
--
INSERT INTO "evaluations" VALUES ('5588c25feca2232d', 'dfe8a34bc6e17396', 13.8, 2.31663179397583);
--
INSERT INTO "evaluations" VALUES ('94904eeb65ff78de', '9fe0606ef883bd2c', 10.6, 2.3361310958862305);
--
INSERT INTO "evaluations" VALUES ('94904eeb65ff78de', 'dfe8a34bc6e17396', 13.8, 2.31663179397583);
--
INSERT INTO "evaluations" VALUES ('a41ac7bf98d0dd02', '9fe0606ef883bd2c', 11.0, 2.3171749114990234);
--
INSERT INTO "evaluations" VALUES ('a41ac7bf98d0dd02', 'dfe8a34bc6e17396', 9.6, 2.311013698577881);
--
INSERT INTO "evaluations" VALUES ('b4125d193b3dc72b', '9fe0606ef883bd2c', 9.2, 2.322145700454712);
--
INSERT INTO "evaluations" VALUES ('b4125d193b3dc72b', 'dfe8a34bc6e17396', 10.8, 2.300001621246338);
--
INSERT INTO "evaluations" VALUES ('e14a88116d74bc57', '9fe0606ef883bd2c', 10.8, 2.3074469566345215);
--
INSERT INTO "evaluations" VALUES ('e14a88116d74bc57', 'dfe8a34bc6e17396', 11.4, 2.2982587814331055);
--
INSERT INTO "probes" VALUES ('94904eeb65ff78de', 'feature_norms', 'norm', 0, 'block1', 14.336299923364969);
--
INSERT INTO "probes" VALUES ('94904eeb65ff78de', 'feature_norms', 'norm', 0, 'block2', 11.270301317306073);
--
INSERT INTO "probes" VALUES ('94904eeb65ff78de', 'feature_norms', 'norm', 0, 'block3', 12.074254710575463);
--
INSERT INTO "probes" VALUES ('94904eeb65ff78de', 'feature_norms', 'norm', 0, 'stem', 10.445957749211164);
--
INSERT INTO "probes" VALUES ('94904eeb65ff78de', 'feature_norms', 'norm', 1, 'block1', 13.935831832695117);
--
INSERT INTO "probes" VALUES ('94904eeb65ff78de', 'feature_norms', 'norm', 1, 'block2', 10.879039563900784);
--
INSERT INTO "probes" VALUES ('94904eeb65ff78de', 'feature_norms', 'norm', 1, 'block3', 11.746634229582698);
--
INSERT INTO "probes" VALUES ('94904eeb65ff78de', 'feature_norms', 'norm', 1, 'stem', 10.409033037805369);
--
INSERT INTO "probes" VALUES ('a41ac7bf98d0dd02', 'feature_norms', 'norm', 0, 'block1', 14.336299923364969);
--
INSERT INTO "probes" VALUES ('a41ac7bf98d0dd02', 'feature_norms', 'norm', 0, 'block2', 11.270301317306073);
--
INSERT INTO "probes" VALUES ('a41ac7bf98d0dd02', 'feature_norms', 'norm', 0, 'block3', 7.364552855688542);
--
INSERT INTO "probes" VALUES ('a41ac7bf98d0dd02', 'feature_norms', 'norm', 0, 'stem', 10.445957749211164);
--
INSERT INTO "probes" VALUES ('a41ac7bf98d0dd02', 'feature_norms', 'norm', 1, 'block1', 14.00745970071851);
--
INSERT INTO "probes" VALUES ('a41ac7bf98d0dd02', 'feature_norms', 'norm', 1, 'block2', 10.89974982421449);
--
INSERT INTO "probes" VALUES ('a41ac7bf98d0dd02', 'feature_norms', 'norm', 1, 'block3', 6.932002978494985);
--
INSERT INTO "probes" VALUES ('a41ac7bf98d0dd02', 'feature_norms', 'norm', 1, 'stem', 10.430331119713362);
--
INSERT INTO "probes" VALUES ('b4125d193b3dc72b', 'feature_norms', 'norm', 0, 'block1', 14.664752312076988);
--
INSERT INTO "probes" VALUES ('b4125d193b3dc72b', 'feature_norms', 'norm', 0, 'block2', 12.749592646650312);
--
INSERT INTO "probes" VALUES ('b4125d193b3dc72b', 'feature_norms', 'norm', 0, 'block3', 12.78521565338448);
--
INSERT INTO "probes" VALUES ('b4125d193b3dc72b', 'feature_norms', 'norm', 0, 'stem', 9.212931092002636);
--
INSERT INTO "probes" VALUES ('b4125d193b3dc72b', 'feature_norms', 'norm', 1, 'block1', 14.346197833412894);
--
INSERT INTO "probes" VALUES ('b4125d193b3dc72b', 'feature_norms', 'norm', 1, 'block2', 12.176286759859988);
--
INSERT INTO "probes" VALUES ('b4125d193b3dc72b', 'feature_norms', 'norm', 1, 'block3', 12.2236047752726);
--
INSERT INTO "probes" VALUES ('b4125d193b3dc72b', 'feature_norms', 'norm', 1, 'stem', 9.210624448570437);
--
INSERT INTO "probes" VALUES ('e14a88116d74bc57', 'feature_norms', 'norm', 0, 'block1', 14.664752312076988);
--
INSERT INTO "probes" VALUES ('e14a88116d74bc57', 'feature_norms', 'norm', 0, 'block2', 12.749592646650312);
--
INSERT INTO "probes" VALUES ('e14a88116d74bc57', 'feature_norms', 'norm', 0, 'block3', 7.384414741385136);
--
INSERT INTO "probes" VALUES ('e14a88116d74bc57', 'feature_norms', 'norm', 0, 'stem', 9.212931092002636);
--
INSERT INTO "probes" VALUES ('e14a88116d74bc57', 'feature_norms', 'norm', 1, 'block1', 14.385477911125209);
--
INSERT INTO "probes" VALUES ('e14a88116d74bc57', 'feature_norms', 'norm', 1, 'block2', 12.238551061170305);
--
INSERT INTO "probes" VALUES ('e14a88116d74bc57', 'feature_norms', 'norm', 1, 'block3', 6.814779513382993);
--
INSERT INTO "probes" VALUES ('e14a88116d74bc57', 'feature_norms', 'norm', 1, 'stem', 9.226393785292704);
--
INSERT INTO "blocks" VALUES ('217dc6c764c63e4a', 3, '[0.33524054288864136,0.5565515160560608,0.11040480434894562]', 1.7771328687667847, '[1.0012367882610524,0.357884344938803,0.30811190043360803]', 1.0012367882610524, 0, 0, -1);
--
INSERT INTO "blocks" VALUES ('a41ac7bf98d0dd02', 3, '[0.33524054288864136,0.5565515160560608,0.11040480434894562]', 1.7771328687667847, '[1.0012367882610524,0.357884344938803,0.30811190043360803]', 1.0012367882610524, 0, 0, -1);
--
INSERT INTO "blocks" VALUES ('e14a88116d74bc57', 3, '[0.3357614576816559,0.5560508370399475,0.11101807653903961]', 1.7771533727645874, '[1.0015930737277947,0.33292866782668074,0.33292866782668074]', 1.0015930737277947, 0, 0, -1);
--
INSERT INTO "sweep_schema" VALUES ('0004');
--
INSERT INTO "sweep_archive" VALUES (1795985461.6756368, 'e10b4410103508650f067146392099a05ca4dc6d6fb111698269018739fa95e2');
--
CREATE UNIQUE INDEX uq_sweeps_name ON sweeps (name);
--
CREATE INDEX ix_runs_zero_stable_depth ON runs (zero_stable, depth);
--
CREATE INDEX ix_runs_dataset_model_depth ON runs (dataset, model, depth);
--
CREATE INDEX ix_runs_state ON runs (state);
--
CREATE INDEX ix_runs_finished_at ON runs (finished_at);
--
CREATE INDEX ix_sweep_runs_run_id ON sweep_runs (run_id);
--
CREATE UNIQUE INDEX uq_sweep_runs_position ON sweep_runs (sweep_id, position);
--
CREATE UNIQUE INDEX uq_sweep_evaluations_position ON sweep_evaluations (sweep_id, position);
--
CREATE UNIQUE INDEX uq_attempts_running ON attempts (run_id) WHERE state = 'running';
--
CREATE INDEX ix_evaluations_evaluation_id ON evaluations (evaluation_id);
--
CREATE TRIGGER done_is_final BEFORE UPDATE ON runs WHEN OLD.state = 'done' BEGIN SELECT RAISE(ABORT, 'a done run is final'); END;
--
CREATE VIEW runs_flat AS
SELECT
    r.run_id, (SELECT group_concat(name, ',') FROM (SELECT s.name AS name FROM sweep_runs sr JOIN sweeps s ON s.id = sr.sweep_id WHERE sr.run_id = r.run_id ORDER BY s.id)) AS sweeps, r.state,
    r.model, r.scheme, r.depth, r.dataset, CASE json_type(r.config, '$.dataset.subset') WHEN 'integer' THEN json_extract(r.config, '$.dataset.subset') END AS dataset_subset, r.seed, r.alpha, r.beta, r.trainable, r.root_moduli, r.max_root_modulus, r.zero_stable, r.consistent, r."order", r.parameters, json_extract(r.config, '$.precision') AS precision, r.epochs, CASE json_type(r.config, '$.training.batch_size') WHEN 'integer' THEN json_extract(r.config, '$.training.batch_size') END AS batch_size, CASE WHEN json_type(r.config, '$.training.optimizer.lr') IN ('integer', 'real') THEN CAST(json_extract(r.config, '$.training.optimizer.lr') AS REAL) END AS learning_rate, CASE WHEN json_type(r.config, '$.training.optimizer.momentum') IN ('integer', 'real') THEN CAST(json_extract(r.config, '$.training.optimizer.momentum') AS REAL) END AS momentum, CASE WHEN json_type(r.config, '$.training.optimizer.weight_decay') IN ('integer', 'real') THEN CAST(json_extract(r.config, '$.training.optimizer.weight_decay') AS REAL) END AS weight_decay,
    r.test_accuracy, r.best_test_accuracy, r.best_epoch, r.train_accuracy, r.generalization_gap, r.test_loss, r.train_loss, r.diverged, r.diverged_epoch, r.train_seconds, r.images_per_second,
    r.attempt AS attempts, a.host, a.device, a.git_commit,
    r.weights_sha256, r.error,
    strftime('%Y-%m-%dT%H:%M:%fZ', r.created_at, 'unixepoch') AS created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', r.finished_at, 'unixepoch') AS finished_at
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
    strftime('%Y-%m-%dT%H:%M:%fZ', a.started_at, 'unixepoch') AS started_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', a.finished_at, 'unixepoch') AS finished_at,
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
