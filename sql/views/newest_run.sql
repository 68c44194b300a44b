-- The later run of a comparison of two. Session variable run; default: the newest run of the connection.
CREATE OR REPLACE VIEW newest_run AS
SELECT run_id FROM runs
WHERE getvariable('run')::VARCHAR IS NULL OR run_id = getvariable('run')::VARCHAR
ORDER BY created DESC, run_id DESC LIMIT 1;
