-- Did a build change anything? The verdicts of each night's last comparison with a baseline, the most important first.
--
-- The nightly flow writes them; `skewbench compare` makes such a table for any two runs. docs/nightly.md explains how a
-- verdict is reached.
SELECT
    r.run_id, r.against, r.baseline, r.night, r.verdict, r.reason, r.required, r.cell, r.kind, r.metric, r.stage, r."set",
    r.before, r.mean, r.change, r.low, r.high, r.p, r.q, r.margin, r.equivalence, r.n, r.prompts, r.moved,
    r.step, r.block, r.block_name, r.better, r.method
FROM regressions AS r
JOIN runs USING (run_id)
WHERE (getvariable('verdict')::VARCHAR IS NULL OR r.verdict = getvariable('verdict')::VARCHAR)
    AND (getvariable('cell')::VARCHAR IS NULL OR getvariable('cell')::VARCHAR = '*' OR r.cell = getvariable('cell')::VARCHAR)
ORDER BY
    runs.created DESC, r.run_id,
    verdict_place(r.verdict),
    NOT r.required, r.cell, r.kind, r.metric, r.stage <> 'all', stage_place(r.stage),
    r."set";
