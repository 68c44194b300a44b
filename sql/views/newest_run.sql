-- The run that a comparison of two is of. Session variable run; default: the newest that the connection shows.
CREATE OR REPLACE VIEW newest_run AS
SELECT run_id FROM runs
WHERE getvariable('run')::VARCHAR IS NULL OR run_id = getvariable('run')::VARCHAR
ORDER BY created DESC, run_id DESC LIMIT 1;
