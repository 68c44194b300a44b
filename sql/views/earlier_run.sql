-- The earlier run of a comparison of two. Session variable against; default: the newest other run.
CREATE OR REPLACE VIEW earlier_run AS
SELECT run_id FROM runs
WHERE run_id NOT IN (FROM newest_run)
    AND (getvariable('against')::VARCHAR IS NULL OR run_id = getvariable('against')::VARCHAR)
ORDER BY created DESC, run_id DESC LIMIT 1;
