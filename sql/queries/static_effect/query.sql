-- What does each setting do to each metric, and to Align? Paired change of each cell against the baseline.
--
-- Pairs are images of the same prompt, seed and size (for diversity: a prompt's set of images). A pair is left out of a
-- row if one of its images failed or has no score, if its images were scored by different versions, or if the metric
-- grows with the size of the set (Vendi) and its sets differ in size. failed counts the pairs whose image failed in the
-- cell. If all images of a cell failed, change is NULL and worst_case has a value.
SELECT
    e.run_id, e.cell, k.family, k.settings, e.category, e.metric, e.kind, e.baseline, e.mean, e.change,
    coalesce(i.low, e.change - z95() * e.error) AS low,
    coalesce(i.high, e.change + z95() * e.error) AS high,
    coalesce(i.method, CASE WHEN e.error IS NOT NULL THEN normal_method() END) AS method,
    e.median_change, e.baseline_sd, e.wins, e.n, e.prompts, e.failed, e.worst_case
FROM effects AS e
JOIN knobs AS k ON k.run_id = e.run_id AND k.cell = e.cell
LEFT JOIN intervals AS i
    ON i.query = 'static_effect' AND i.statistic = 'change' AND i.run_id = e.run_id AND i.cell = e.cell
    AND i.metric = e.metric AND e.category IS NULL AND i.n = e.n
ORDER BY e.run_id, k.position, e.category, kind_place(e.kind), e.metric;
