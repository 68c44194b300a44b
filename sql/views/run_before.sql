-- The run that it is compared with. Session variable against; default: the newest other one.
CREATE OR REPLACE VIEW run_before AS
SELECT run_id FROM runs
WHERE run_id NOT IN (FROM newest_run)
    AND (getvariable('against')::VARCHAR IS NULL OR run_id = getvariable('against')::VARCHAR)
ORDER BY created DESC, run_id DESC LIMIT 1;
