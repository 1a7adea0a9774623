-- A database as version 0.1.0 left it: some runs of two sweeps, and one run in every state.
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
	CONSTRAINT pk_attempts PRIMARY KEY (run_id, attempt), 
	CONSTRAINT ck_attempts_state CHECK (state IN ('running', 'done', 'failed', 'lost', 'interrupted')), 
	CONSTRAINT ck_attempts_finished_has_time CHECK ((state = 'running') = (finished_at IS NULL)), 
	CONSTRAINT fk_attempts_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id)
);
INSERT INTO "attempts" VALUES('92ba5697d4b59e9f',1,'done',1795250876.33477,1.79525089192046523097e+09,1,NULL,NULL,'{"driver_host":"head-1","driver_pid":2042,"host":"node-1","pid":2197,"device":"cpu","device_name":"x86_64","threads":1,"python":"3.11.7","torch":"2.15.0+cu132","numpy":"2.4.6","git_commit":"f453d7aaa58bd0256f58050462c7b50ee45b07d0","started_at":1795250880.3972957,"finished_at":1795250889.809582,"first_epoch":1}');
INSERT INTO "attempts" VALUES('f7cbeb204d492e0c',1,'done',1795250931.86972,1.79525093972306847575e+09,1,NULL,NULL,'{"driver_host":"head-1","driver_pid":2042,"host":"node-1","pid":2197,"device":"cpu","device_name":"x86_64","threads":1,"python":"3.11.7","torch":"2.15.0+cu132","numpy":"2.4.6","git_commit":"f453d7aaa58bd0256f58050462c7b50ee45b07d0","started_at":1795250931.874014,"finished_at":1795250939.7082489,"first_epoch":1}');
INSERT INTO "attempts" VALUES('39f0b73a628c8895',1,'done',1.79525119531886458395e+09,1.79525119880486154553e+09,1,NULL,NULL,'{"driver_host":"head-1","driver_pid":2042,"host":"node-1","pid":2686,"device":"cpu","device_name":"x86_64","threads":1,"python":"3.11.7","torch":"2.15.0+cu132","numpy":"2.4.6","git_commit":"f453d7aaa58bd0256f58050462c7b50ee45b07d0","started_at":1795251195.3220618,"finished_at":1795251198.793053,"first_epoch":1}');
INSERT INTO "attempts" VALUES('0101010101010101',1,'failed',1.79525693237794327743e+09,1.79525693237879848482e+09,NULL,'ValueError: a shape «8×8» that is not','Traceback (most recent call last):
  ...
ValueError: a shape
  «8×8» that is not
','{"driver_host":"head-1","driver_pid":2042}');
INSERT INTO "attempts" VALUES('0202020202020202',1,'running',1.79525693238080096244e+09,NULL,NULL,NULL,NULL,'{"driver_host":"head-1","driver_pid":2042}');
INSERT INTO "attempts" VALUES('0303030303030303',1,'lost',1.79525693238187360762e+09,1.79525693238307213787e+09,NULL,'RayActorError: the worker died',NULL,'{"driver_host":"head-1","driver_pid":2042}');
INSERT INTO "attempts" VALUES('0303030303030303',2,'interrupted',1.79525693238446593285e+09,1.795256932385504961e+09,NULL,'stopped by a signal',NULL,'{"driver_host":"head-1","driver_pid":2042}');
INSERT INTO "attempts" VALUES('0404040404040404',1,'lost',1.79525693238640522957e+09,1.79525693238732361785e+09,NULL,'RayActorError: the worker died',NULL,'{"driver_host":"head-1","driver_pid":2042}');
INSERT INTO "attempts" VALUES('0404040404040404',2,'done',1.79525693238826680175e+09,1.79525693238898634914e+09,2,NULL,NULL,'{"driver_host":"head-1","driver_pid":2042,"host":"node-2","pid":7,"device":"cuda","device_name":"NVIDIA H100","python":"3.11.7","torch":"2.15.0","git_commit":null,"first_epoch":2}');
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
INSERT INTO "epochs" VALUES('92ba5697d4b59e9f',1,0.1,2.12147670235189,2.39013107170393226388e+01,1.70764589309692382812e+00,42.0,1.22460295899998072854e+00);
INSERT INTO "epochs" VALUES('92ba5697d4b59e9f',2,0.1,1.20480006689646645945e+00,5.94448727833461845184e+01,1.6685199737548828125e+00,51.6,1.00509721699995679955e+00);
INSERT INTO "epochs" VALUES('92ba5697d4b59e9f',3,0.1,6.44884552970333313481e-01,7.91827293754818839488e+01,1.13866543769836425781e+00,67.8,1.0615349449999484932e+00);
INSERT INTO "epochs" VALUES('92ba5697d4b59e9f',4,1.00000000000000019428e-02,3.8753332024183106963e-01,87.4325366229761,1.93754926323890686035e-01,96.0,1.06644775100005517742e+00);
INSERT INTO "epochs" VALUES('92ba5697d4b59e9f',5,1.00000000000000023765e-03,3.26272160435237601472e-01,8.98997686969930640508e+01,1.95237651467323303222e-01,95.6,1.04292119600006571999e+00);
INSERT INTO "epochs" VALUES('92ba5697d4b59e9f',6,1.00000000000000023765e-03,2.82215099106776112769e-01,92.289899768697,2.01220497488975524902e-01,94.8,1.07632093899997016706e+00);
INSERT INTO "epochs" VALUES('f7cbeb204d492e0c',1,0.1,2.0727835989219,2.76792598303777950255e+01,1.67531335353851318359e+00,40.4,1.07384428900002149021e+00);
INSERT INTO "epochs" VALUES('f7cbeb204d492e0c',2,0.1,1.23414370943788576084e+00,5.79799537393986099678e+01,1.62162303924560546875e+00,49.6,1.06996801599996160803e+00);
INSERT INTO "epochs" VALUES('f7cbeb204d492e0c',3,0.1,7.74070967158263845142e-01,73.0917501927525,3.92583936452865600585e-01,86.6,1.03040102099998875928e+00);
INSERT INTO "epochs" VALUES('f7cbeb204d492e0c',4,1.00000000000000019428e-02,4.52826088129233306212e-01,8.60447185813415558151e+01,2.97046303749084472656e-01,90.2,1.12616384800003288546e+00);
INSERT INTO "epochs" VALUES('f7cbeb204d492e0c',5,1.00000000000000023765e-03,3.74952350107632670361e-01,9.00539707016191215416e+01,2.62464374303817749023e-01,93.6,1.1527534179999747721e+00);
INSERT INTO "epochs" VALUES('f7cbeb204d492e0c',6,1.00000000000000023765e-03,3.59926891997858655614e-01,9.05936777178103369578e+01,2.61598318815231323242e-01,94.0,1.15631315000007361959e+00);
INSERT INTO "epochs" VALUES('39f0b73a628c8895',1,0.1,2.21596040850707742819e+00,1.7656129529683884272e+01,1.08806753158569335937e+01,9.6,5.98434896000071603339e-01);
INSERT INTO "epochs" VALUES('39f0b73a628c8895',2,0.1,1.64758803941878162468e+00,4.7879722436391674023e+01,2.23161005973815917968e+00,39.8,5.82050321999986408627e-01);
INSERT INTO "epochs" VALUES('39f0b73a628c8895',3,0.1,9.39980313744835371814e-01,7.08558211256746375275e+01,1.80219674110412597656e+00,44.2,5.74933033999968756688e-01);
INSERT INTO "epochs" VALUES('39f0b73a628c8895',4,1.00000000000000019428e-02,6.01026032875387472564e-01,8.13415574402467171904e+01,7.2961711883544921875e-01,80.4,3.87706016000038289348e-01);
INSERT INTO "epochs" VALUES('39f0b73a628c8895',5,1.00000000000000023765e-03,4.73287086442698845534e-01,8.61218195836545845605e+01,3.54301542043685913085e-01,89.2,3.74666559000047527661e-01);
INSERT INTO "epochs" VALUES('39f0b73a628c8895',6,1.00000000000000023765e-03,4.3522455803504245253e-01,87.9722436391673,2.96685606241226196289e-01,92.6,3.82753582000077585689e-01);
INSERT INTO "epochs" VALUES('0404040404040404',1,0.1,9.0,20.0,8.0,34.4,0.7);
INSERT INTO "epochs" VALUES('0404040404040404',2,0.1,NULL,NULL,NULL,10.0,0.8);
CREATE TABLE evaluation_configs (
	evaluation_id VARCHAR(16) NOT NULL CONSTRAINT ck_evaluation_configs_id_length CHECK (length(evaluation_id) = 16), 
	name VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	level FLOAT, 
	config JSON NOT NULL, 
	CONSTRAINT pk_evaluation_configs PRIMARY KEY (evaluation_id)
);
INSERT INTO "evaluation_configs" VALUES('dfe8a34bc6e17396','gaussian[0.2]','gaussian',0.2,'{"noise":"gaussian","std":0.2,"seed":1}');
INSERT INTO "evaluation_configs" VALUES('eb21b9fac3acbec8','gaussian[0.3]','gaussian',0.3,'{"noise":"gaussian","std":0.3,"seed":1}');
INSERT INTO "evaluation_configs" VALUES('6aa8082d17bf04c4','uniform[-0.5,0.5]','uniform',0.5,'{"noise":"uniform","low":-0.5,"high":0.5,"seed":1}');
INSERT INTO "evaluation_configs" VALUES('9fe0606ef883bd2c','constant[0.3]','constant',0.3,'{"noise":"constant","value":0.3}');
INSERT INTO "evaluation_configs" VALUES('7f109ba33d65149b','gaussian[0.1]','gaussian',0.1,'{"noise":"gaussian","std":0.1,"seed":1}');
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
INSERT INTO "evaluations" VALUES('92ba5697d4b59e9f','dfe8a34bc6e17396',79.4,6.70573115348815917968e-01);
INSERT INTO "evaluations" VALUES('92ba5697d4b59e9f','eb21b9fac3acbec8',56.4,1.41304194927215576171e+00);
INSERT INTO "evaluations" VALUES('92ba5697d4b59e9f','6aa8082d17bf04c4',62.0,1.23371851444244384765e+00);
INSERT INTO "evaluations" VALUES('92ba5697d4b59e9f','9fe0606ef883bd2c',24.2,4.47355318069458);
INSERT INTO "evaluations" VALUES('f7cbeb204d492e0c','dfe8a34bc6e17396',82.2,5.61240732669830322265e-01);
INSERT INTO "evaluations" VALUES('f7cbeb204d492e0c','eb21b9fac3acbec8',62.0,1.05623328685760498046e+00);
INSERT INTO "evaluations" VALUES('f7cbeb204d492e0c','6aa8082d17bf04c4',64.0,1.00347113609313964843e+00);
INSERT INTO "evaluations" VALUES('f7cbeb204d492e0c','9fe0606ef883bd2c',75.6,7.14175879955291748046e-01);
INSERT INTO "evaluations" VALUES('39f0b73a628c8895','7f109ba33d65149b',88.4,3.73681008815765380859e-01);
INSERT INTO "evaluations" VALUES('39f0b73a628c8895','dfe8a34bc6e17396',80.4,5.89287400245666503906e-01);
INSERT INTO "evaluations" VALUES('39f0b73a628c8895','eb21b9fac3acbec8',69.0,9.47537064552307128906e-01);
INSERT INTO "evaluations" VALUES('0404040404040404','dfe8a34bc6e17396',10.0,NULL);
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
INSERT INTO "runs" VALUES('92ba5697d4b59e9f','{"recipe_version":1,"trainer":"trainers.train:train","model":{"name":"zerosnet","depth":32,"width":16,"stage_change":"project","start_blocks":2},"scheme":{"alpha":[1.0,1.0,1.0],"beta":1.0},"dataset":{"name":"digits","crop_padding":1,"horizontal_flip":false},"training":{"epochs":6,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001,"nesterov":false},"lr_schedule":{"name":"step","milestones":[3.0,4.0],"gamma":0.1}},"precision":"fp32","seed":0}','zerosnet','1, 1, 1; 1',32,'digits',0,'[1.0,1.0,1.0]',1.0,0,'[1.839286755214161,0.737352705760328,0.737352705760328]',1.83928675521416096216e+00,0,0,-1,471546,6,'done',1,94.8,96.0,4,92.289899768697,-2.5101002313029994184e+00,2.82215099106776112769e-01,2.01220497488975524902e-01,0,NULL,6.47692500699997708579e+00,1.20149607901736635545e+03,'bec2eb8dc179506a2f5c967f6dcba179f0f77180a35e95dd38f0ca893a6c3c85',NULL,NULL,1.7952508733414037227e+09,1.79525089192046523097e+09);
INSERT INTO "runs" VALUES('f7cbeb204d492e0c','{"recipe_version":1,"trainer":"trainers.train:train","model":{"name":"zerosnet","depth":32,"width":16,"stage_change":"project","start_blocks":2},"scheme":{"alpha":[2.25,-2.0,0.75],"beta":0.5},"dataset":{"name":"digits","crop_padding":1,"horizontal_flip":false},"training":{"epochs":6,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001,"nesterov":false},"lr_schedule":{"name":"step","milestones":[3.0,4.0],"gamma":0.1}},"precision":"fp32","seed":1}','zerosnet','2.25, -2, 0.75; 0.5',32,'digits',1,'[2.25,-2.0,0.75]',0.5,0,'[1.0,0.8660254037844386,0.8660254037844386]',1.0,1,1,2,471546,6,'done',1,94.0,94.0,6,9.05936777178103369578e+01,-3.40632228218966304211e+00,3.59926891997858655614e-01,2.61598318815231323242e-01,0,NULL,6.60944374200005313468e+00,1.17740619389024777773e+03,'b75fc4e58263e335ab90b2221ad10df5d86306289037980bb58b072881821bda',NULL,NULL,1.7952508733414037227e+09,1.79525093972306847575e+09);
INSERT INTO "runs" VALUES('39f0b73a628c8895','{"recipe_version":1,"trainer":"trainers.train:train","model":{"name":"lm_resnet","depth":20,"width":16,"stage_change":"restart","start_blocks":1},"scheme":{"learned":"k","start":[-0.1,0.0]},"dataset":{"name":"digits","crop_padding":1,"horizontal_flip":false},"training":{"epochs":6,"batch_size":128,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001,"nesterov":false},"lr_schedule":{"name":"step","milestones":[3.0,4.0],"gamma":0.1}},"precision":"fp32","seed":0}','lm_resnet','k_n from U[-0.1, 0]',20,'digits',0,NULL,NULL,1,NULL,NULL,NULL,NULL,NULL,272096,6,'done',1,92.6,92.6,6,87.9722436391673,-4.62775636083269148457e+00,4.3522455803504245253e-01,2.96685606241226196289e-01,0,NULL,2.90054440900019,2682.94461407072,'d2681b44e1ad0a9192618b069bfb5637316fbc82eb3c6696917e4b97346bd5cd','[[1.0513962507247925,-0.05139625817537308,1.0],[1.1413872241973877,-0.1413872241973877,1.0],[1.023341417312622,-0.023341357707977295,1.0],[0.962956428527832,0.037043582648038864,1.0],[1.0098294019699097,-0.009829364717006683,1.0],[1.0802929401397705,-0.08029297739267349,1.0]]',NULL,1.79525112608784055711e+09,1.79525119880486154553e+09);
INSERT INTO "runs" VALUES('0101010101010101','{"recipe_version":1,"trainer":"trainers.train:train","model":{"name":"zerosnet","depth":32,"width":16,"stage_change":"project","start_blocks":2},"scheme":{"alpha":[1.0,1.0,1.0],"beta":1.0},"dataset":{"name":"digits","crop_padding":1,"horizontal_flip":false},"training":{"epochs":6,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001,"nesterov":false},"lr_schedule":{"name":"step","milestones":[3.0,4.0],"gamma":0.1}},"precision":"fp32","seed":101}','zerosnet','1, 1, 1; 1',32,'digits',101,'[1.0,1.0,1.0]',1.0,0,'[1.839286755214161,0.737352705760328,0.737352705760328]',1.83928675521416096216e+00,0,0,-1,471546,6,'failed',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'ValueError: a shape «8×8» that is not',1.79525693236436820025e+09,1.79525693237879848482e+09);
INSERT INTO "runs" VALUES('0202020202020202','{"recipe_version":1,"trainer":"trainers.train:train","model":{"name":"zerosnet","depth":32,"width":16,"stage_change":"project","start_blocks":2},"scheme":{"alpha":[1.0,1.0,1.0],"beta":1.0},"dataset":{"name":"digits","crop_padding":1,"horizontal_flip":false},"training":{"epochs":6,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001,"nesterov":false},"lr_schedule":{"name":"step","milestones":[3.0,4.0],"gamma":0.1}},"precision":"fp32","seed":102}','zerosnet','1, 1, 1; 1',32,'digits',102,'[1.0,1.0,1.0]',1.0,0,'[1.839286755214161,0.737352705760328,0.737352705760328]',1.83928675521416096216e+00,0,0,-1,471546,6,'running',1,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79525693236436820025e+09,NULL);
INSERT INTO "runs" VALUES('0303030303030303','{"recipe_version":1,"trainer":"trainers.train:train","model":{"name":"zerosnet","depth":32,"width":16,"stage_change":"project","start_blocks":2},"scheme":{"alpha":[1.0,1.0,1.0],"beta":1.0},"dataset":{"name":"digits","crop_padding":1,"horizontal_flip":false},"training":{"epochs":6,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001,"nesterov":false},"lr_schedule":{"name":"step","milestones":[3.0,4.0],"gamma":0.1}},"precision":"fp32","seed":103}','zerosnet','1, 1, 1; 1',32,'digits',103,'[1.0,1.0,1.0]',1.0,0,'[1.839286755214161,0.737352705760328,0.737352705760328]',1.83928675521416096216e+00,0,0,-1,471546,6,'queued',2,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79525693236436820025e+09,NULL);
INSERT INTO "runs" VALUES('0404040404040404','{"recipe_version":1,"trainer":"trainers.train:train","model":{"name":"zerosnet","depth":32,"width":16,"stage_change":"project","start_blocks":2},"scheme":{"alpha":[1.0,1.0,1.0],"beta":1.0},"dataset":{"name":"digits","crop_padding":1,"horizontal_flip":false},"training":{"epochs":6,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001,"nesterov":false},"lr_schedule":{"name":"step","milestones":[3.0,4.0],"gamma":0.1}},"precision":"fp32","seed":104}','zerosnet','1, 1, 1; 1',32,'digits',104,'[1.0,1.0,1.0]',1.0,0,'[1.839286755214161,0.737352705760328,0.737352705760328]',1.83928675521416096216e+00,0,0,-1,471546,6,'done',2,10.0,34.4,1,NULL,NULL,NULL,NULL,1,2,1.5,NULL,NULL,NULL,NULL,1.79525693236436820025e+09,1.79525693238898634914e+09);
INSERT INTO "runs" VALUES('0505050505050505','{"recipe_version":1,"trainer":"trainers.train:train","model":{"name":"zerosnet","depth":32,"width":16,"stage_change":"project","start_blocks":2},"scheme":{"alpha":[1.0,1.0,1.0],"beta":1.0},"dataset":{"name":"digits","crop_padding":1,"horizontal_flip":false},"training":{"epochs":6,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001,"nesterov":false},"lr_schedule":{"name":"step","milestones":[3.0,4.0],"gamma":0.1}},"precision":"fp32","seed":105}','zerosnet','1, 1, 1; 1',32,'digits',105,'[1.0,1.0,1.0]',1.0,0,'[1.839286755214161,0.737352705760328,0.737352705760328]',1.83928675521416096216e+00,0,0,-1,471546,6,'cancelled',0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79525693236436820025e+09,NULL);
INSERT INTO "runs" VALUES('0606060606060606','{"recipe_version":1,"trainer":"trainers.train:train","model":{"name":"zerosnet","depth":32,"width":16,"stage_change":"project","start_blocks":2},"scheme":{"alpha":[1.0,1.0,1.0],"beta":1.0},"dataset":{"name":"digits","crop_padding":1,"horizontal_flip":false},"training":{"epochs":6,"batch_size":64,"optimizer":{"name":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001,"nesterov":false},"lr_schedule":{"name":"step","milestones":[3.0,4.0],"gamma":0.1}},"precision":"fp32","seed":106}','mlp','free',32,'digits',106,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,471546,6,'queued',0,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1.79525693236436820025e+09,NULL);
CREATE TABLE sweep_evaluations (
	sweep_id INTEGER NOT NULL, 
	evaluation_id VARCHAR(16) NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_sweep_evaluations PRIMARY KEY (sweep_id, evaluation_id), 
	CONSTRAINT fk_sweep_evaluations_sweep_id FOREIGN KEY(sweep_id) REFERENCES sweeps (id), 
	CONSTRAINT fk_sweep_evaluations_evaluation_id FOREIGN KEY(evaluation_id) REFERENCES evaluation_configs (evaluation_id)
);
INSERT INTO "sweep_evaluations" VALUES(1,'dfe8a34bc6e17396',0);
INSERT INTO "sweep_evaluations" VALUES(1,'eb21b9fac3acbec8',1);
INSERT INTO "sweep_evaluations" VALUES(1,'6aa8082d17bf04c4',2);
INSERT INTO "sweep_evaluations" VALUES(1,'9fe0606ef883bd2c',3);
INSERT INTO "sweep_evaluations" VALUES(3,'7f109ba33d65149b',0);
INSERT INTO "sweep_evaluations" VALUES(3,'dfe8a34bc6e17396',1);
INSERT INTO "sweep_evaluations" VALUES(3,'eb21b9fac3acbec8',2);
INSERT INTO "sweep_evaluations" VALUES(4,'dfe8a34bc6e17396',0);
CREATE TABLE sweep_runs (
	sweep_id INTEGER NOT NULL, 
	run_id VARCHAR(16) NOT NULL, 
	position INTEGER NOT NULL, 
	CONSTRAINT pk_sweep_runs PRIMARY KEY (sweep_id, run_id), 
	CONSTRAINT fk_sweep_runs_sweep_id FOREIGN KEY(sweep_id) REFERENCES sweeps (id), 
	CONSTRAINT fk_sweep_runs_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id)
);
INSERT INTO "sweep_runs" VALUES(1,'92ba5697d4b59e9f',0);
INSERT INTO "sweep_runs" VALUES(1,'f7cbeb204d492e0c',13);
INSERT INTO "sweep_runs" VALUES(3,'39f0b73a628c8895',1);
INSERT INTO "sweep_runs" VALUES(4,'0101010101010101',0);
INSERT INTO "sweep_runs" VALUES(4,'0202020202020202',1);
INSERT INTO "sweep_runs" VALUES(4,'0303030303030303',2);
INSERT INTO "sweep_runs" VALUES(4,'0404040404040404',3);
INSERT INTO "sweep_runs" VALUES(4,'0505050505050505',4);
INSERT INTO "sweep_runs" VALUES(4,'0606060606060606',5);
CREATE TABLE sweep_specs (
	sweep_id INTEGER NOT NULL, 
	version INTEGER NOT NULL CONSTRAINT ck_sweep_specs_from_1 CHECK (version >= 1), 
	text TEXT NOT NULL, 
	source VARCHAR NOT NULL, 
	overrides JSON NOT NULL, 
	description TEXT, 
	created_at FLOAT NOT NULL, 
	CONSTRAINT pk_sweep_specs PRIMARY KEY (sweep_id, version), 
	CONSTRAINT fk_sweep_specs_sweep_id FOREIGN KEY(sweep_id) REFERENCES sweeps (id)
);
INSERT INTO "sweep_specs" VALUES(1,1,'# The question of the ZeroSNet paper on a laptop, in two minutes: do networks whose scheme is zero
# stable withstand noise better? Ten third-order schemes (ZeroSNet, Table 10) x 3 seeds on the
# handwritten digits inside scikit-learn: 8x8 images, so the noise is stronger than the paper''s.
name: quickstart
description: Ten third-order schemes on handwritten digits, clean and under noise
model: zerosnet
depth: 32                       # 6n + 2 layers
dataset: digits
training:
  epochs: 6
  batch_size: 64
  optimizer: {name: sgd, lr: 0.1, momentum: 0.9, weight_decay: 1e-4}
  lr_schedule: {name: step, milestones: [1/2, 3/4], gamma: 0.1}
grid:                           # every scheme with every seed
  scheme:
    # Not zero stable: a root outside the unit circle.
    - {alpha: [1, 1, 1], beta: 1}
    - {lambda: 1/4}                                # 3.75, -4, 1.25; -0.5
    - {lambda: -1/5}                               # -3, 5, -1; 4
    - {lambda: -1/2}                               # -0.75, 2, -0.25; 2.5
    # Zero stable.
    - {lambda: 1/2}                                # 2.25, -2, 0.75; 0.5
    - {alpha: [0.1, 0.2, 0.3], beta: 0.4}
    - {alpha: [0.5, 0.3, 0.1], beta: 0.1}
    - {lambda: 10}                                 # 0.825, -0.1, 0.275; 1.45
    - {alpha: [1, 0.3, -0.4], beta: 1}
    - {lambda: -9/5}                               # 1/3, 5/9, 1/9; 16/9 (ZeroSNet-Opt)
  seed: [0, 1, 2]
evaluations:
  - {noise: gaussian, std: 0.2}
  - {noise: gaussian, std: 0.3}
  - {noise: uniform, low: -0.5, high: 0.5}
  - {noise: constant, value: 0.3}
','specs/quickstart.yaml','[]','Ten third-order schemes on handwritten digits, clean and under noise',1.7952508733414037227e+09);
INSERT INTO "sweep_specs" VALUES(3,1,'name: learned
dataset: digits
model: lm_resnet
training: {epochs: 6, batch_size: 128, optimizer: {lr: 0.1}}
grid:
  depth: [20, 32, 44]
  seed: [0, 1]
zip:
  model: [preresnet, lm_resnet, zerosnet, zerosnet]
  scheme: [{alpha: 1}, {k: [-0.1, 0], trainable: true}, {lambda: -9/5}, {lambda: 1, trainable: true}]
evaluations:
  - {noise: gaussian, std: 0.1}
  - {noise: gaussian, std: 0.2}
  - {noise: gaussian, std: 0.3}
','specs/learned.yaml','[]',NULL,1.79525112608784055711e+09);
INSERT INTO "sweep_specs" VALUES(4,1,'name: states
description: One run in every state
published: zerosnet/table10
model: zerosnet
dataset: digits
grid:
  seed: [101, 102, 103, 104, 105]
','specs/states.yaml','[]','One run in every state',1.79525693236436820025e+09);
INSERT INTO "sweep_specs" VALUES(4,2,'name: states
description: One run in every state
published: zerosnet/table10
model: zerosnet
dataset: digits
grid:
  seed: [101, 102, 103, 104, 105]
','specs/states.yaml','["published=null"]','One run in every state',1.79525693237169218065e+09);
INSERT INTO "sweep_specs" VALUES(4,3,'name: states
description: One run in every state
published: zerosnet/table10
model: zerosnet
dataset: digits
grid:
  seed: [101, 102, 103, 104, 105]
','specs/states.yaml','["published=zerosnet/table3","seed=[1]"]','One run in every state',1.79525693237437963486e+09);
CREATE TABLE sweeps (
	id INTEGER NOT NULL, 
	name VARCHAR NOT NULL CONSTRAINT ck_sweeps_named CHECK (name <> ''), 
	created_at FLOAT NOT NULL, 
	updated_at FLOAT NOT NULL, 
	CONSTRAINT pk_sweeps PRIMARY KEY (id)
);
INSERT INTO "sweeps" VALUES(1,'quickstart',1.7952508733414037227e+09,1.7952508733414037227e+09);
INSERT INTO "sweeps" VALUES(3,'learned',1.79525112608784055711e+09,1.79525112608784055711e+09);
INSERT INTO "sweeps" VALUES(4,'states',1.79525693236436820025e+09,1.79525693237437963486e+09);
CREATE UNIQUE INDEX uq_sweeps_name ON sweeps (name);
CREATE INDEX ix_runs_state ON runs (state);
CREATE INDEX ix_sweep_runs_run_id ON sweep_runs (run_id);
CREATE UNIQUE INDEX uq_sweep_runs_position ON sweep_runs (sweep_id, position);
CREATE UNIQUE INDEX uq_sweep_evaluations_position ON sweep_evaluations (sweep_id, position);
CREATE UNIQUE INDEX uq_attempts_running ON attempts (run_id) WHERE state = 'running';
CREATE INDEX ix_evaluations_evaluation_id ON evaluations (evaluation_id);
CREATE TRIGGER done_is_final BEFORE UPDATE ON runs WHEN OLD.state = 'done' BEGIN SELECT RAISE(ABORT, 'a done run is final'); END;
COMMIT;
PRAGMA user_version = 1;
