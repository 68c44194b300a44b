-- Did a build change anything? The verdicts of the last comparison with a baseline of each night, what matters first.
--
-- As the nightly flow wrote them; `skewbench compare` makes such a table for any two runs. docs/nightly.md says how a
-- verdict is found.
--
-- parameter verdict: rows of one verdict, such as worse; default: all
-- parameter cell: rows of one cell; default: all
--
-- Columns: run_id, against (run ids), baseline (its name), night (scheduled time), verdict (worse, changed, better,
-- inconclusive, not comparable, same), reason, required (whether the night fails for it), cell, kind (sample, prompt, cell,
-- measure, picture, lost, memory, speed), metric, stage (of a measure: down, mid, up, all), set (of a metric of a set: its
-- definition, with the reference), before, mean (of the earlier run and of this one), change, low, high, p, q (adjusted
-- over the table), margin, equivalence (p-value of the change lying within the margin), n (pairs; of speed: nights or
-- turns), prompts, moved (pairs that differ beyond rounding), step, block, block_name (where that begins), better (higher,
-- lower), method.
-- Source: the project's.
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
    list_position(['worse', 'changed', 'better', 'inconclusive', 'not comparable', 'same'], r.verdict),
    NOT r.required, r.cell, r.kind, r.metric, list_position(['all', 'down', 'mid', 'up'], r.stage),
    r."set";
