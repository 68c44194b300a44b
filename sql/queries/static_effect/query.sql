-- What does each setting do to each metric, and to Align? Paired change of each cell against the baseline.
--
-- Pairs are the images of the same prompt, seed and size (for diversity: a prompt's images); those with a side that
-- was lost or has no score drop out of their own row alone, and are counted in lost if the cell lost them. So do pairs
-- that were scored by different versions, and of a metric that grows with the images in the set (as Vendi), those
-- whose sets are not of the same size. Where all of a cell were lost, change is NULL and worst_case is there.
SELECT
    e.run_id, e.cell, k.family, k.settings, e.category, e.metric, e.kind, e.baseline, e.mean, e.change,
    coalesce(i.low, e.change - z95() * e.error) AS low,
    coalesce(i.high, e.change + z95() * e.error) AS high,
    coalesce(i.method, CASE WHEN e.error IS NOT NULL THEN normal_method() END) AS method,
    e.median_change, e.baseline_sd, e.wins, e.n, e.prompts, e.lost, e.worst_case
FROM effects AS e
JOIN knobs AS k ON k.run_id = e.run_id AND k.cell = e.cell
LEFT JOIN intervals AS i
    ON i.query = 'static_effect' AND i.statistic = 'change' AND i.run_id = e.run_id AND i.cell = e.cell
    AND i.metric = e.metric AND e.category IS NULL AND i.n = e.n
ORDER BY e.run_id, k.position, e.category, kind_place(e.kind), e.metric;
